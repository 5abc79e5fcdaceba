"""The systems that the paper compares with, as small configs of one runner over time."""

from las.baselines.adapter import load, save
from las.baselines.convert import convert, observe
from las.baselines.fine_tune import fine_tune
from las.baselines.left_float import left_float
from las.baselines.methods import METHODS, Method

__all__ = ["METHODS", "Method", "convert", "fine_tune", "left_float", "load", "observe", "save"]
