"""Streaming activation statistics and the choice of thresholds."""

from las.calibration.collect import collect
from las.calibration.fingerprint import fingerprint
from las.calibration.statistics import SiteStatistics, Statistics
from las.calibration.thresholds import Thresholds, choose_thresholds

__all__ = [
    "SiteStatistics",
    "Statistics",
    "Thresholds",
    "choose_thresholds",
    "collect",
    "fingerprint",
]
