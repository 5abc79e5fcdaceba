"""las: pretrained transformers as fully spike-driven networks, without loss."""

from las.components.modes import simulate as _simulate
from las.config import SpikeConfig
from las.conversion.adapter import load, save
from las.conversion.convert import convert

__all__ = ["SpikeConfig", "convert", "load", "save"]
