"""The errors that las raises on purpose; every message says what to do."""

from __future__ import annotations


class LasError(Exception):
    """Base of all errors raised on purpose by this library."""


class UnsupportedModelError(LasError):
    """The model holds a module or an attention that has no spike-equivalent."""


class CalibrationError(LasError):
    """Batches of a wrong form, empty or too short, or NaN or infinite activations."""


class AccountError(LasError):
    """The spikes of a model cannot be counted as was asked, or are none."""


class AdapterError(LasError):
    """An adapter cannot be read, or belongs to another base model."""


class AssetError(LasError):
    """A model or data set is missing, damaged, or cannot be fetched."""


class TrainingError(LasError):
    """A training run came upon a loss that is no number."""


class MissingExtraError(LasError, ImportError):
    """An optional package is not installed."""
