"""From a pretrained model to a spiking one, and to disk and back."""

from las.conversion import families, rules
from las.conversion.adapter import load, read_adapter, save, write_adapter
from las.conversion.convert import convert
from las.conversion.prepare import is_spiking, prepare
from las.conversion.recalibrate import recalibrate
from las.conversion.registry import converts
from las.conversion.simulate import simulate, stop_after
from las.conversion.state import SpikingState, apply, assemble
from las.hosts.twin import twin

__all__ = [
    "SpikingState",
    "apply",
    "assemble",
    "convert",
    "converts",
    "families",
    "is_spiking",
    "load",
    "prepare",
    "read_adapter",
    "recalibrate",
    "rules",
    "save",
    "simulate",
    "stop_after",
    "twin",
    "write_adapter",
]
