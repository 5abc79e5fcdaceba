"""The energy of a spiking model that somebody else made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from las.components.component import SpikingModule
from las.energy.cost_model import PAPER, CostModel
from las.energy.estimate import estimate
from las.errors import LasError
from las.foreign.counts import INPUT, Operated, Population
from las.foreign.error import AccountError
from las.foreign.names import checked_names, within
from las.foreign.neurons import recognised, reset
from las.foreign.report import SpikeAccount
from las.foreign.timing import StepMode, Timing, rows_without_time, step_mode_of
from las.foreign.watch import Pass, watched
from las.neurons.tally import OperationCount, SiteCount, SpikeTally
from las.options import instance_of, one_of, shown, whole_number

_BATCH = (
    "a batch is the model's input: a tensor, a tuple of positional arguments, or a dict of keyword "
    "arguments; with forward=lambda model, batch: ... it is whatever you make of it"
)


def account(
    model: nn.Module,
    batches: Iterable[Any],
    time_steps: int,
    *,
    hooks: Iterable[str] | None = None,
    neurons: Iterable[str] | None = None,
    dense: Iterable[str] = (),
    step_mode: StepMode | None = None,
    forward: Callable[[Any, Any], Any] | None = None,
    cost_model: CostModel = PAPER,
) -> SpikeAccount:
    """Count the spikes of a spiking model that somebody else made, and charge them.

    `SpikeAccount.energy` is Eq. 25, `SpikeAccount.accounts` charges the same counts under the
    accounts of converted models, on any hardware that is described.

    Linear layers, convolutions (of one to three dimensions, transposed, in groups), and matrix
    products are found while the model runs, whatever module or function does them. What reads
    spikes costs E_AC for each accumulation that a spike causes, 0.9 pJ; what reads anything else,
    as the first layer does that is given images ("direct encoding"), costs E_MAC for each of its
    multiply-accumulates, as often as the model does them. That is the convention of the papers.
    The dense model that it is compared with has no time: its MACs are those of one time step.

    A tensor holds spikes if all of its values are multiples of one step, up to 31 times; {-1, 0, 1}
    times a common factor is the usual case. The factor may be another one at each time step. A
    product of two spike trains is charged for the spikes of both; `SpikeAccount.one_operand` has
    the other figure. If only one operand is a spike train, its spikes are charged.

    Biases, normalisation, pooling, and what happens within a neuron are outside of Eq. 25; other
    accounts charge comparisons and resets of the sites. A leak is charged under none. What cannot
    be looked into, such as fused attention and custom operators, is named in `SpikeAccount.unread`.

    Arguments:
        model: any PyTorch module, but no model that las converted. It runs as in evaluation and
            without gradients; SpikingJelly's neurons are reset before each batch and at the end.
        batches: inputs of the model: tensors, tuples of positional arguments, or dicts of keyword
            arguments.
        time_steps: T. Either modules are called T times in a pass, or time is dimension 0 of what
            they are given, (T, N, ...) or (T N, ...).
        hooks: module paths. Only what is done in them counts, and all of it has to read spikes.
            By default the whole model counts, and what reads no spikes is charged as MACs.
        neurons: paths of modules that emit spikes, which become the sites. By default the neurons
            of SpikingJelly, snnTorch and Norse; in a model without such neurons sites are the
            inputs of the operations that read spikes.
        dense: paths of modules whose operations are charged as MACs, whatever they read.
        step_mode: "s" if modules are called at each time step, "m" if once for all of them. By
            default SpikingJelly's neurons say it, or how often modules are called.
        forward: runs the model on a batch, e.g. where the loop over time is yours.
        cost_model: energy per operation; the paper's constants by default.

    Raises:
        AccountError: a path is no module of the model or was never called, what should spike does
            not, a value is NaN or infinite, the batches are empty, the model does not run on one,
            nothing is done in T time steps, or the model was converted by las.
        ValueError: an option out of range.
    """
    steps = whole_number("time_steps, T of the model,", time_steps, 1)
    if step_mode is not None:
        step_mode = one_of("step_mode", step_mode, StepMode)
    instance_of("cost_model", cost_model, CostModel, "las.energy.COST_MODELS has some")
    _need_foreign(model)
    named = checked_names(model, "hooks", hooks)
    spiking = checked_names(model, "neurons", neurons)
    charged_dense = checked_names(model, "dense", dense)
    populations = {
        path: module
        for path, module in model.named_modules()
        if (path in spiking if neurons is not None else recognised(module))
    }
    operated: dict[str, Operated] = {}
    sites: dict[str, Population] = {}
    layers: dict[str, str] = {}
    unread: set[str] = set()
    timing = None
    with _as_in_evaluation(model):
        for number, batch in enumerate(_checked(batches)):
            done = _run(model, batch, number, forward, populations, steps)
            if timing is None:
                mode = step_mode or step_mode_of(done, populations.values(), steps)
            timing = Timing(steps, mode, rows_without_time(batch, done, steps))
            layers |= done.layers
            unread |= {
                f"{path}: {function}" if path else function
                for path, function in done.unread
                if not named or within(path, named)
            }
            _add(done, timing, operated, sites, named)
    if timing is None:
        raise AccountError(f"there is no batch to run the model on: {_BATCH}")
    _check_called(named, [layers[name] for name in operated], "hooks", "linear layer or product")
    _check_called(spiking, [*sites], "neurons", "forward pass")
    _check_called(charged_dense, [layers[name] for name in operated], "dense", "operation")
    _check_emitted(sites, spiking)
    return _account(
        operated, sites, layers, charged_dense, named, tuple(sorted(unread)), timing, cost_model
    )


def _account(
    operated: Mapping[str, Operated],
    sites: Mapping[str, Population],
    layers: Mapping[str, str],
    charged_dense: Sequence[str],
    named: Sequence[str],
    unread: tuple[str, ...],
    timing: Timing,
    cost_model: CostModel,
) -> SpikeAccount:
    """Decide what is charged as spikes, and add up."""
    if not operated:
        hidden = f" that can be looked into, but {', '.join(unread)}" if unread else ""
        raise AccountError(f"the model does no linear layer, convolution or matrix product{hidden}")
    if all(one.outside_of_time for one in operated.values()):
        raise AccountError(
            f"nothing in the model is done at T = {timing.time_steps} time steps: either its "
            "modules are called T times in a pass, or dimension 0 of what they are given is T, or "
            "T times the batch; is time_steps right?"
        )
    tally = SpikeTally()
    for name, one in operated.items():
        if within(layers[name], charged_dense):
            one.charge_dense()
        count = tally.operations[name] = one.finished()
        count.layer = layers[name]
        if not one.reads_spikes and named and not within(layers[name], charged_dense):
            raise AccountError(
                f"{name} reads no spikes but values such as {_values(one.sample)}; what it "
                f"multiplies is charged as MACs if dense={[layers[name]]} names it, or if no hooks "
                "are named"
            )
    tally.sites = {name: site.count for name, site in sites.items() if not site.sample}
    return SpikeAccount(
        spikes=tally,
        energy=estimate(tally, cost_model),
        time_steps=timing.time_steps,
        step_mode=timing.step_mode,
        dense=tuple(name for name, one in operated.items() if not one.reads_spikes),
        outside_of_time=tuple(name for name, one in operated.items() if one.outside_of_time),
        right_alone=tuple(name for name, one in operated.items() if one.right_alone),
        analog=tuple(name for name, one in sites.items() if one.sample and one.count.kind != INPUT),
        unread=unread,
    )


def _add(
    done: Pass,
    timing: Timing,
    operated: dict[str, Operated],
    sites: dict[str, Population],
    named: Sequence[str],
) -> None:
    """Add one pass."""
    for name, calls in done.operations.items():
        if named and not within(done.layers[name], named):
            continue
        kind = calls[0].kind
        operated.setdefault(name, Operated(OperationCount("", kind))).add(calls, timing)
        if done.neurons:
            continue
        for operand, end in enumerate(("left", "right") if len(calls[0].seen) == 2 else ("input",)):
            if not calls[0].seen[operand].known:
                site = sites.setdefault(f"{name}.{end}", Population(SiteCount(INPUT, 1)))
                site.add(calls, timing, operand)
    for path, calls in done.neurons.items():
        sites.setdefault(path, Population(SiteCount(calls[0].kind, 1))).add(calls, timing)


def _need_foreign(model: Any) -> None:
    """Look at what was given as a model."""
    if not isinstance(model, nn.Module):
        raise AccountError(f"a PyTorch module is wanted, got {shown(model)}")
    if any(isinstance(part, SpikingModule) for part in model.modules()):
        raise AccountError(
            f"this {type(model).__name__} was converted by las, whose neurons code all time steps "
            "at once: use `with las.count_spikes(model) as spikes:` and las.energy(model, spikes)"
        )


def _checked(batches: Any) -> Iterator[Any]:
    """The batches, if they are several things to iterate over."""
    if isinstance(batches, (str, Mapping, Tensor, np.ndarray)) or not hasattr(batches, "__iter__"):
        raise AccountError(
            f"{shown(batches)} was given instead of a list of batches; {_BATCH}. For a single one: "
            "[batch]"
        )
    yield from batches


def _run(
    model: nn.Module,
    batch: Any,
    number: int,
    forward: Callable[[Any, Any], Any] | None,
    neurons: Mapping[str, nn.Module],
    time_steps: int,
) -> Pass:
    """Run the model on one batch, and look on."""
    reset(model)
    try:
        with torch.no_grad(), watched(model, neurons, time_steps) as done:
            if forward is not None:
                forward(model, batch)
            elif isinstance(batch, Mapping):
                model(**batch)
            elif isinstance(batch, (tuple, list)):
                model(*batch)
            else:
                model(batch)
    except (LasError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        raise AccountError(
            f"{type(model).__name__} does not run on batch {number}, {shown(batch)}: "
            f"{type(error).__name__}: {said}; {_BATCH}"
        ) from error
    finally:
        reset(model)
    return done


@contextmanager
def _as_in_evaluation(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, in which no statistics of batches are taken; afterwards as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _check_called(names: Sequence[str], called: Sequence[str], option: str, what: str) -> None:
    for name in names:
        if not any(within(path, (name,)) for path in called):
            raise AccountError(
                f"{option} names {name!r}, and there was no {what} in it while the batches ran"
            )


def _check_emitted(sites: Mapping[str, Population], spiking: Sequence[str]) -> None:
    for path in spiking:
        if sites[path].sample:
            raise AccountError(
                f"{path} emits no spikes but values such as {_values(sites[path].sample)}: spikes "
                "are multiples of one step, up to 31 times"
            )


def _values(sample: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in sample)
