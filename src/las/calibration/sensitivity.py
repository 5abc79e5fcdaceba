"""What an error at a neuron site costs the model's output: second-order importance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from las.calibration.batches import Batch, numbered, running_on
from las.calibration.bins import BINS, OCTAVES, bins_of, octaves_of
from las.calibration.loss import surprise
from las.components.component import SpikingComponent
from las.components.readers import FirstReaders
from las.components.running import observing, running
from las.components.site import OATSite, Site
from las.errors import CalibrationError
from las.neurons.tally import SpikeTally

Array = NDArray[np.float64]

_SEED = 20260101


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
    """

    costs: dict[str, Array] = field(default_factory=dict)
    synapses: dict[str, float] = field(default_factory=dict)
    together: dict[str, Array] = field(default_factory=dict)


class NoGradientError(Exception):
    """What a model gives does not depend on its activations, as far as torch knows."""


def by_gradients(
    model: nn.Module, batches: Iterable[Batch], shared: Mapping[str, str]
) -> Sensitivity:
    """Run batches forward and backward through a model with exact neurons.

    Errors are taken as small, and as independent, but for what those of one token have in common:
    where small values are silent, all of them become smaller.

    Arguments:
        model: a prepared model, in evaluation mode.
        batches: forward keyword arguments, a few hundred tokens at least.
        shared: sites that are served by another one; an error there reaches all their readers.

    Raises:
        CalibrationError: no batches.
        NoGradientError: the model has no gradient.
    """
    observer = _Gradients(shared)
    generator = torch.Generator(device="cpu").manual_seed(_SEED)
    tally, of = SpikeTally(), 0.0
    with _frozen(model), torch.enable_grad(), observing(model, observer):
        progress = tqdm(batches, desc="weighing errors", unit="batch")
        for name, batch, tokens in numbered(model, progress):
            with running_on(model, name):
                observer.begin()
                with ExitStack() as counted:
                    for one in running(model):
                        counted.enter_context(one.run.counted(tally))
                    output = model(**batch)
            number, share = surprise(output, tokens, generator)
            if number.grad_fn is None:
                raise NoGradientError("the outputs have no gradient")
            number.backward()
            of += share
    if not of:
        raise CalibrationError("a budget needs calibration batches: there is none")
    costs, together = (
        {site: sums / (2 * of) for site, sums in added.items()}
        for added in (observer.squares, observer.products)
    )
    return Sensitivity(costs, synapses(model, tally, observer.activations, shared), together)


class _Gradients:
    """Observes OAT sites and adds up squared gradients by the magnitude of their inputs.

    Attributes:
        squares: by site, (BINS,).
        products: by site, those of the gradients times values of every two values of a token, by
            the octaves of the two, (OCTAVES, OCTAVES).
        activations: by site, how many inputs were seen.
    """

    def __init__(self, shared: Mapping[str, str]) -> None:
        self.squares: dict[str, Array] = {}
        self.products: dict[str, Array] = {}
        self.activations: dict[str, int] = {}
        self._shared = shared
        self._readers = FirstReaders()
        self._passed_on: dict[str, Tensor] = {}

    def begin(self) -> None:
        """Begin another forward pass."""
        self._readers.forget()
        self._passed_on.clear()

    def observe(self, site: Site, x: Tensor, importance: Callable[[], Tensor] | None) -> Tensor:
        """Pass on what has a gradient of its own, the same to all that read the same neurons."""
        if not isinstance(site, OATSite):
            return x
        owner = self._readers.serving(site, x, self._shared)
        if owner is not None:
            return self._passed_on[owner.name]
        passed_on = x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
        passed_on.register_hook(partial(self._add, site, x.detach()))
        self._passed_on[site.name] = passed_on
        self.activations[site.name] = self.activations.get(site.name, 0) + x.numel()
        return passed_on

    def _add(self, site: OATSite, x: Tensor, gradient: Tensor) -> None:
        name, gradient = site.name, gradient.double().nan_to_num(0.0, 0.0, 0.0)
        squares = by_magnitude(x, gradient.square())
        products = by_octaves(x, gradient * x.double(), site.token_dim)
        self.squares[name] = self.squares.get(name, 0.0) + squares
        self.products[name] = self.products.get(name, 0.0) + products


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


def by_magnitude(x: Tensor, weights: Tensor) -> Array:
    """The sums of the weights of values, by the bins of their magnitudes, (BINS,)."""
    return torch.bincount(bins_of(x).flatten(), weights.flatten(), BINS).cpu().numpy()


def by_octaves(x: Tensor, weights: Tensor, token_dim: int) -> Array:
    """The products of the weights of every two values of a token, summed by their octaves.

    Arguments:
        x: values.
        weights: of the values, the shape of x.
        token_dim: which dimension counts tokens, beside the first one.

    Returns:
        (OCTAVES, OCTAVES), without the squares of single weights.
    """
    octave, weights = (_of_tokens(one, token_dim) for one in (octaves_of(x), weights))
    index = octave + OCTAVES * torch.arange(len(octave), device=x.device)[:, None]
    sums = torch.bincount(index.flatten(), weights.flatten(), OCTAVES * len(octave))
    sums = sums.view(-1, OCTAVES)
    alone = torch.bincount(octave.flatten(), weights.flatten().square(), OCTAVES)
    return (sums.mT @ sums - alone.diag()).cpu().numpy()


def _of_tokens(x: Tensor, token_dim: int) -> Tensor:
    """What belongs to each token, (tokens, values)."""
    if x.dim() < 3:
        return x.reshape(-1, x.shape[-1])
    return x.movedim(token_dim, 1).flatten(2).flatten(0, 1)


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
