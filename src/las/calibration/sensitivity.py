"""What an error at a neuron site costs the model's output: second-order importance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from tqdm.auto import tqdm

from las.calibration.batches import Batch, numbered, running_on
from las.calibration.gradients import Array, ChannelGradients, Gradients
from las.calibration.loss import surprise
from las.calibration.shifts import shifts_for
from las.components.component import SpikingComponent
from las.components.padding import token_masks
from las.components.running import observing, running
from las.components.site import OATSite
from las.errors import CalibrationError
from las.neurons.tally import SpikeTally

_SEED = 20260101

_PART = 2
"""One of so many batches tells how far the thresholds of channels are to be apart."""


@dataclass(frozen=True)
class Shifted:
    """A site whose channels have thresholds of their own.

    Attributes:
        shifts: octaves by which those of each channel are above the others, (channels,).
        histogram: share of the values in each magnitude bin, in units of their channel, (BINS,);
            zeros are in none.
        costs, together: see `Sensitivity`; of errors and values in these units.
    """

    shifts: tuple[int, ...]
    histogram: Array
    costs: Array
    together: Array


@dataclass(frozen=True)
class Sensitivity:
    """What errors and spikes at each OAT site cost.

    Attributes:
        costs: by site, for each magnitude bin what a squared error of 1 of all its values would add
            to the loss (see `Loss`), (BINS,): half of the mean squared gradients.
        synapses: by site, how many synaptic operations a spike causes, in the mean.
        together: by site, what the errors of two values of a token add beyond that where they are
            alike, (OCTAVES, OCTAVES): half of the mean products of gradients times values, summed
            over all pairs of values from the two octaves. A relative error r_o of the values of
            each octave o adds r^T `together` r. Only of sites of which it is known.
        shifted: by site, the same where each channel has the thresholds that suit it. Only of
            sites that weights read, which take in the units of their channels.
    """

    costs: dict[str, Array] = field(default_factory=dict)
    synapses: dict[str, float] = field(default_factory=dict)
    together: dict[str, Array] = field(default_factory=dict)
    shifted: dict[str, Shifted] = field(default_factory=dict)


class NoGradientError(Exception):
    """What a model gives does not depend on its activations, as far as torch knows."""


def by_gradients(
    model: nn.Module, batches: Iterable[Batch], shared: Mapping[str, str]
) -> Sensitivity:
    """Run batches forward and backward through a model with exact neurons.

    Errors are taken as small, and as independent, but for what those of one token have in common:
    where small values are silent, all of them become smaller. Half of the batches run before, and
    tell which thresholds suit each channel.

    Arguments:
        model: a prepared model, in evaluation mode.
        batches: forward keyword arguments, a few hundred tokens at least.
        shared: sites that are served by another one; an error there reaches all their readers.

    Raises:
        CalibrationError: no batches.
        NoGradientError: the model has no gradient.
    """
    batches = list(batches)
    some = batches[: max(1, len(batches) // _PART)]
    of_channels = ChannelGradients(shared)
    _backward(model, some, of_channels, SpikeTally(), "weighing channels")
    shifts = shifts_for(of_channels.squares)
    observer, tally = Gradients(shared, shifts), SpikeTally()
    of = _backward(model, batches, observer, tally, "weighing errors")
    if not of:
        raise CalibrationError("a budget needs calibration batches: there is none")
    return Sensitivity(
        {site: sums.squares / (2 * of) for site, sums in observer.alike.items()},
        synapses(model, tally, observer.activations, shared),
        {site: sums.products / (2 * of) for site, sums in observer.alike.items()},
        {
            site: Shifted(
                shifts[site],
                sums.values / max(float(sums.values.sum()), 1.0),
                sums.squares / (2 * of),
                sums.products / (2 * of),
            )
            for site, sums in observer.apart.items()
        },
    )


def _backward(
    model: nn.Module,
    batches: Iterable[Batch],
    observer: Gradients | ChannelGradients,
    tally: SpikeTally,
    what: str,
) -> float:
    """Show all gradients to an observer, and count operations.

    Arguments:
        what: the progress bar's name.

    Returns:
        What half of a sum of squared gradients is to be divided by (see `surprise`).
    """
    generator, of = torch.Generator(device="cpu").manual_seed(_SEED), 0.0
    parts = token_masks(model)
    with _frozen(model), torch.enable_grad(), observing(model, observer):
        progress = tqdm(batches, desc=what, unit="batch")
        for name, batch, tokens in numbered(model, progress):
            with running_on(model, name):
                observer.begin(replace(parts, keep=tokens.keep, decoded=tokens.decoded))
                with ExitStack() as counted:
                    for one in running(model):
                        counted.enter_context(one.run.counted(tally))
                    output = model(**batch)
            number, share = surprise(output, tokens, generator)
            if number.grad_fn is None:
                raise NoGradientError("the outputs have no gradient")
            number.backward()
            of += share
    return of


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """No parameter of the model wants a gradient inside the block."""
    wanted = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in wanted:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in wanted:
            weight.requires_grad_(True)


def synapses(
    model: nn.Module, tally: SpikeTally, activations: Mapping[str, int], shared: Mapping[str, str]
) -> dict[str, float]:
    """How many synaptic operations a spike of each site causes, in the mean.

    Arguments:
        model: a prepared model.
        tally: what its operations were counted to do.
        activations: by site, how many inputs it had then.
        shared: sites that are served by another one.
    """
    operations: dict[str, list[tuple[str, int]]] = {}
    for name, op in tally.operations.items():
        part = name.removeprefix(op.layer).removeprefix(".")
        operations.setdefault(op.layer, []).append((part, op.macs if op.multiplies else 0))
    reads: dict[str, float] = dict.fromkeys(activations, 0.0)
    for module in model.modules():
        if not isinstance(module, SpikingComponent):
            continue
        for attribute, site in module._modules.items():
            if not isinstance(site, OATSite):
                continue
            name = f"{module.name}.{attribute}"
            owner = shared.get(name, name if name in reads else site.name)
            for part, macs in operations.get(module.name, ()):
                if owner in reads and attribute in module.reads.get(part, (attribute,)):
                    reads[owner] += macs
    return {name: max(1.0, macs / activations[name]) for name, macs in reads.items()}
