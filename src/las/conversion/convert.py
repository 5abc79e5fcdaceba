"""The one verb: a pretrained transformer in, its spike-equivalent out, and the proof of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from torch import nn

from las.calibration.batches import Batch, check_batch, check_iterable, peek, running_on
from las.calibration.collect import collect
from las.calibration.sample import few_tokens, one_row
from las.calibration.statistics import Statistics
from las.components.exact import Exact
from las.components.running import observing
from las.config import SpikeConfig, Vision, config_or_default
from las.conversion.audit import audit_pass
from las.conversion.checkpoint import attach
from las.conversion.choose import choose_neurons
from las.conversion.frugal import Kept, weigh
from las.conversion.prepare import need_dense_model, prepare, restored_on_error
from las.conversion.proof import Proof
from las.conversion.registry import how_to_register
from las.errors import UnsupportedModelError
from las.fitting.model_functions import check_budgets, fit_functions
from las.hosts.offload import hooked_modules
from las.options import one_of

Model = TypeVar("Model", bound=nn.Module)


def convert(
    model: Model,
    batches: Iterable[Batch],
    config: SpikeConfig | None = None,
    *,
    verify: bool = True,
) -> Model:
    """Turn a pretrained transformer into a fully spike-driven one, in place, and prove it.

    Every spiking component is compared with the module that it replaces, and the whole model with
    the original, on one row of the first calibration batch: first with exact neurons, where any
    difference beyond rounding is an error, and once more with spikes. The result is
    `model.las_report`. It costs three forward passes of that row.

    Arguments:
        model: a transformers model; it is put into evaluation mode.
        batches: calibration data, forward keyword arguments such as input_ids (B, L) and
            attention_mask (B, L), and for an encoder with a decoder labels or decoder_input_ids;
            some thousand tokens of the kind the model will see.
        config: T, H and the other options; T = 16 and H = 5 by default.
        verify: whether to compare with the original.

    Returns:
        The same model. `generate`, `save_pretrained` and everything else of transformers goes on
        working.

    Raises:
        UnsupportedModelError: a module or an operation has no spike-equivalent, or one that
            computes something else.
        CalibrationError: batches of a wrong form, empty, too short, or such that the model does not
            run on them or gives NaN or infinite activations.
        ValueError: an option of a wrong kind, or a budget for an unknown function.

    After an error the model is as it was.
    """
    config = config_or_default(config)
    check_budgets(config.budgets)
    need_dense_model(model)
    kept = None if config.budget is None else Kept(check_iterable(batches))
    with restored_on_error(model):
        statistics, proof = calibrate(model, kept or batches, config.vision, verify=verify)
        functions = fit_functions(statistics, config)
        weighed = None if kept is None else weigh(model, statistics, kept.batches)
        state = choose_neurons(model, statistics, functions, weighed, config)
        if proof is not None:
            state = replace(state, report=proof.report(model))
    attach(model, state)
    return model


def calibrate(
    model: nn.Module,
    batches: Iterable[Batch],
    vision: Vision = "spiking",
    *,
    verify: bool = True,
) -> tuple[Statistics, Proof | None]:
    """Prepare a model, prove what it computes with exact neurons, and take its statistics.

    The first half of a conversion: what it takes from the model holds for any T and H.

    Arguments: see `convert`.

    Returns:
        The statistics, and the proof, if it is to be verified.

    Raises:
        UnsupportedModelError, CalibrationError, ValueError: see `convert`.
    """
    one_of("vision", vision, Vision)
    need_dense_model(model)
    first, batches = peek(model, batches)
    with restored_on_error(model):
        model.eval()
        proof = None
        if first is not None and verify:
            name, batch = first
            with running_on(model, name):
                proof = _proof(model, one_row(batch))
        prepare(model, vision)
        if proof is not None:
            proof.compare_structure(model)
        if first is not None:
            name, batch = first
            with running_on(model, name), observing(model, Exact()):
                refuse_float(model, few_tokens(model, batch))
        return collect(model, batches), proof


def _proof(model: nn.Module, batch: Batch) -> Proof | None:
    """The proof of a conversion; None, with a warning, where accelerate's model cannot be run."""
    try:
        return Proof(model, batch)
    except RuntimeError as error:
        if not hooked_modules(model):
            raise
        warnings.warn(
            f"the original does not run where accelerate has placed its weights ({error}), so that "
            "the conversion is not compared with it",
            stacklevel=3,
        )
        return None


def prepare_proved(model: nn.Module, batch: Batch, vision: Vision = "spiking") -> Proof:
    """Prepare a model, in place, and prove what it computes with exact neurons.

    Statistics are there already. Any number of neurons may then be applied, one after the other,
    and each be compared with the original.

    Arguments:
        model: a transformers model; it is put into evaluation mode.
        batch: forward keyword arguments.
        vision: whether a vision tower spikes.

    Returns:
        The proof, whose report says of neurons that have been applied what they cost.

    Raises:
        UnsupportedModelError: see `convert`.
        CalibrationError: the batch has a wrong form, or the model does not run on it.
    """
    one_of("vision", vision, Vision)
    need_dense_model(model)
    check_batch(model, batch, "the batch")
    with restored_on_error(model):
        model.eval()
        with running_on(model, "the batch"):
            proof = Proof(model, batch)
        prepare(model, vision)
        proof.compare_structure(model)
    return proof


def refuse_float(model: nn.Module, batch: Batch) -> None:
    """Raise UnsupportedModelError, naming every operation of a prepared model that is float."""
    if floats := audit_pass(model, batch).floats:
        listed = "; ".join(
            f"{row.operation} in {row.place} ({row.module_class}"
            f"{', ' + row.note if row.note else ''})"
            for row in floats
        )
        raise UnsupportedModelError(
            f"{type(model).__name__} computes on activations without spikes: {listed}. "
            f"{how_to_register(floats[0].module_class)}"
        )
