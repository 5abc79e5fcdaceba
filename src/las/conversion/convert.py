"""The one verb: a pretrained transformer in, its spike-equivalent out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from torch import nn

from las.calibration.collect import collect
from las.calibration.thresholds import choose_thresholds
from las.config import SpikeConfig
from las.conversion.checkpoint import attach
from las.conversion.prepare import prepare
from las.conversion.state import apply, assemble
from las.fitting.model_functions import fit_functions

Model = TypeVar("Model", bound=nn.Module)


def convert(
    model: Model, batches: Iterable[Mapping[str, Any]], config: SpikeConfig | None = None
) -> Model:
    """Turn a pretrained transformer into a fully spike-driven one, in place.

    Arguments:
        model: a supported transformers model; it is put into evaluation mode.
        batches: calibration data, forward keyword arguments such as input_ids (B, L) and
            attention_mask (B, L); some thousand tokens of the kind the model will see.
        config: T, H and the other options; T = 16 and H = 5 by default.

    Returns:
        The same model. `generate`, `save_pretrained` and everything else of transformers goes on
        working.

    Raises:
        UnsupportedModelError: a module has no spike-equivalent; the model is left as it was.
        CalibrationError: batches are empty, too short, or give NaN or infinite activations.
    """
    config = config or SpikeConfig()
    prepare(model)
    statistics = collect(model, batches)
    state = assemble(
        statistics, choose_thresholds(statistics, config), fit_functions(statistics, config), config
    )
    attach(model, state)
    apply(model, state)
    return model
