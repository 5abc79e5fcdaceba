"""Quantisation-aware training before the neurons are put in, as QCFS, FAS and SpikeZIP-TF do it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from tqdm.auto import tqdm

from las.baselines.calibrate import observe, thresholds_of
from las.baselines.convert import made_a_baseline, place
from las.baselines.methods import Method, method_of
from las.baselines.quantiser import Quantiser, quantisers
from las.baselines.thresholds import levels_and_parts
from las.baselines.weights import weights_of_its_own
from las.calibration.batches import Batch, check_iterable, numbered, running_on
from las.errors import CalibrationError, TrainingError
from las.options import whole_number

Model = TypeVar("Model", bound=nn.Module)

LARGEST_GRADIENT = 1.0
"""L2 norm to which a larger gradient is scaled down."""

_LIMITS_FASTER = 10
"""The learning rate of log lambda, in units of that of the weights."""


def fine_tune(
    model: Model,
    batches: Iterable[Batch],
    method: str | Method,
    *,
    steps: int,
    time_steps: int | None = None,
    learning_rate: float = 1e-4,
) -> Model:
    """Train a model for a published method's neurons, then let them spike, in place.

    What the layers read that are to spike is quantised as the neurons quantise a constant input,
    with L as many levels as they have spikes to give in T time steps:
    lambda clip(floor(x L / lambda + 1/2) / L, 0, 1), for both signs, straight through the floor.
    Lambda begins where `convert` would have it and is trained with the weights, by the model's own
    loss. The word embeddings stay. Then neurons take the quantisers' place, with thresholds that
    follow from lambda. The same batches, machine and threads give the same weights.

    Arguments:
        model: a transformers model, see `las.baselines.convert`. The weights that it had are not
            changed but replaced, so that a twin keeps them.
        batches: forward keyword arguments with `labels`, one for each step; after the last one
            comes the first one again; those of padding alone are left out. They also calibrate.
        method: a name in `las.baselines.METHODS`, or a `Method` of your own, whose thresholds are
            those of least error.
        steps: of AdamW; the first tenth of them warms up, then the rate falls as a cosine to 0.
        time_steps: T; by default that of the method.
        learning_rate: of the weights, at its largest; that of log lambda is ten times as large.

    Returns:
        The same model, spiking.

    Raises:
        UnsupportedModelError: see `las.baselines.convert`.
        CalibrationError: batches of a wrong form, without labels, or none.
        TrainingError: the loss or its gradient is NaN or infinite.
        ValueError: an unknown method or one that is not trained, T or the steps out of range.

    After an error the model is as it was.
    """
    chosen = method_of(method, time_steps)
    if chosen.thresholds != "error":
        raise ValueError(
            f'a method with thresholds "{chosen.thresholds}" does not clip and round, which is '
            'what fine-tuning trains for: take one with thresholds "error", as qcfs'
        )
    steps = whole_number("steps", steps, 1, 1_000_000)
    levels, parts = levels_and_parts(chosen)
    with made_a_baseline(model), weights_of_its_own(model) as weights:
        given = _labelled(model, batches)
        begun = thresholds_of(observe(model, given, chosen.per), chosen)
        quantised = quantisers(begun, levels, parts)
        _train(model, given, weights, quantised, steps, learning_rate)
        trained = {path: one.limit.detach() * parts / levels for path, one in quantised.items()}
        place(model, chosen, trained)
    return model


def _labelled(model: nn.Module, batches: Iterable[Batch]) -> list[Batch]:
    """The batches that hold more than padding."""
    found = []
    for name, batch, _ in numbered(model, check_iterable(batches)):
        if "labels" not in batch:
            raise CalibrationError(f"{name} has no labels: fine-tuning needs a loss")
        found.append(batch)
    return found


def _train(
    model: Any,
    batches: Sequence[Batch],
    weights: Sequence[Tensor],
    quantised: dict[str, Quantiser],
    steps: int,
    learning_rate: float,
) -> None:
    """Train weights and limits, with dropout; leave the model in evaluation mode and unhooked."""
    from transformers import get_cosine_schedule_with_warmup

    limits = [one.log_limit for one in quantised.values()]
    groups: list[dict[str, Any]] = [
        {"params": weights},
        {"params": limits, "lr": _LIMITS_FASTER * learning_rate},
    ]
    optimizer = AdamW(groups, lr=learning_rate, weight_decay=0.0)
    schedule = get_cosine_schedule_with_warmup(optimizer, steps // 10, steps)
    with ExitStack() as blocks:
        for path, one in quantised.items():
            layer = model.get_submodule(path)
            blocks.callback(layer.register_forward_pre_hook(one.hook).remove)
        blocks.callback(model.eval)
        model.train()
        blocks.enter_context(torch.enable_grad())
        blocks.enter_context(torch.random.fork_rng())
        bar = blocks.enter_context(tqdm(total=steps, desc="fine-tuning", unit="step"))
        for step, batch in zip(range(steps), itertools.cycle(batches), strict=False):
            torch.manual_seed(step)
            with running_on(model, f"the batch of step {step}"):
                loss = model(**batch).loss
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_([*weights, *limits], LARGEST_GRADIENT)
            if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
                raise TrainingError(
                    f"step {step}: the loss is {loss.item():.4g} and its gradient's norm "
                    f"{norm.item():.4g}. Lower the learning rate, or look for damaged batches."
                )
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
            bar.update()
