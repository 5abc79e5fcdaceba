"""What an error at a neuron site costs the model's output, without gradients: noise tells it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from las.calibration.batches import Batch, numbered, running_on
from las.calibration.bins import BINS, edges
from las.calibration.expected import Expected
from las.calibration.gradients import Array, by_magnitude
from las.calibration.sensitivity import Sensitivity, synapses
from las.components.readers import FirstReaders
from las.components.running import observing, running
from las.components.site import OATSite, Site
from las.errors import CalibrationError
from las.neurons.tally import SpikeTally

_SEED = 20260101

_WANTED = 3e-3
"""The loss that noise is to cause: far above what rounding does, and small."""

_NEAR = 8.0
"""A loss that is off by no more than this factor will do."""

_PASSES = 8
"""How often noise of another size is tried at a site, at most."""

_STEP = 256.0
"""How many times larger or smaller the next noise is, at most."""


def by_noise(
    model: nn.Module,
    batches: Iterable[Batch],
    shared: Mapping[str, str],
    sites: Collection[str] | None = None,
) -> Sensitivity:
    """Run batches forward through a model with exact neurons, and noise at one site after another.

    Every value of a site that is not 0 is moved up or down by the same distance, by chance, so that
    what the errors of two values do together averages out. A loss is half of the sum of F_ii e^2, F
    the Fisher information, as long as it is small; the distance is chosen so that it is. Which
    values of a site matter more than others is not told: all F_ii of a site are taken as equal.

    Arguments:
        model: a prepared model, in evaluation mode.
        batches: forward keyword arguments, a few hundred tokens at least.
        shared: sites that are served by another one; an error there reaches all their readers.
        sites: those whose costs are wanted; None for all.

    Raises:
        CalibrationError: no batches.
    """
    batches = list(batches)
    seen = _Magnitudes(shared)
    tally = SpikeTally()
    with torch.no_grad(), observing(model, seen):
        for name, batch, _ in numbered(model, batches):
            seen.begin()
            with running_on(model, name), ExitStack() as counted:
                for one in running(model):
                    counted.enter_context(one.run.counted(tally))
                model(**batch)
    if not seen.activations:
        raise CalibrationError("a budget needs calibration batches: there is none")
    expected = Expected(model, batches)
    costs: dict[str, Array] = {}
    relative = 2.0**-4  # to the typical value; the next site begins with what suited the last one
    wanted = [site for site in seen.histograms if sites is None or site in sites]
    for site in tqdm(wanted, desc="weighing errors by noise", unit="site"):
        histogram = seen.histograms[site]
        typical = _typical(histogram)
        size, loss = _small_loss(model, expected, site, shared, relative * typical)
        costs[site] = loss / size**2 * histogram / max(float(histogram.sum()), 1.0)
        if loss:
            relative = size / typical
    return Sensitivity(costs, synapses(model, tally, seen.activations, shared))


def _small_loss(
    model: nn.Module, expected: Expected, site: str, shared: Mapping[str, str], size: float
) -> tuple[float, float]:
    """Noise of a size that causes a small loss, and that loss; 0 where no noise causes any."""
    wrong = 0.0
    for further in reversed(range(_PASSES)):
        with observing(model, _Noise(site, size, shared)):
            loss = expected.loss(model)
        wrong = max(loss, 0.0) / _WANTED if math.isfinite(loss) else _STEP**2
        if not further or not loss or 1 / _NEAR <= wrong <= _NEAR:
            break
        size /= min(max(math.sqrt(wrong), 1 / _STEP), _STEP)
    return size, wrong * _WANTED if wrong >= 1 / _NEAR else 0.0


def _typical(histogram: Array) -> float:
    """The median of the magnitudes in the bins, to within a bin."""
    middle = np.searchsorted(histogram.cumsum(), histogram.sum() / 2)
    return float(edges()[min(int(middle), BINS - 1) + 1])


class _Magnitudes:
    """Observes OAT sites and counts the magnitudes of what they code.

    Attributes:
        histograms: by site, how many values that are not 0 lie in each bin, (BINS,).
        activations: by site, how many inputs were seen.
    """

    def __init__(self, shared: Mapping[str, str]) -> None:
        self.histograms: dict[str, Array] = {}
        self.activations: dict[str, int] = {}
        self._shared = shared
        self._readers = FirstReaders()

    def begin(self) -> None:
        """Begin another forward pass."""
        self._readers.forget()

    def observe(self, site: Site, x: Tensor, importance: Callable[[], Tensor] | None) -> Tensor:
        """Count what is coded once for all that read the same neurons."""
        if isinstance(site, OATSite) and self._readers.serving(site, x, self._shared) is None:
            counted = by_magnitude(x, (x != 0).double())
            self.histograms[site.name] = self.histograms.get(site.name, np.zeros(BINS)) + counted
            self.activations[site.name] = self.activations.get(site.name, 0) + x.numel()
        return x


class _Noise:
    """Observes OAT sites and moves what one of them codes, the same for all that read it.

    Arguments:
        site: its name.
        size: how far.
        shared: see `by_noise`.
    """

    def __init__(self, site: str, size: float, shared: Mapping[str, str]) -> None:
        self._site, self._size, self._shared = site, size, shared
        self._generator = torch.Generator(device="cpu").manual_seed(_SEED)
        self._readers = FirstReaders()
        self._moved = torch.empty(0)

    def observe(self, site: Site, x: Tensor, importance: Callable[[], Tensor] | None) -> Tensor:
        """Pass on x; moved, if it is that site's."""
        if not isinstance(site, OATSite):
            return x
        first = self._readers.serving(site, x, self._shared)
        if first is not None:
            return self._moved if first.name == self._site else x
        if site.name != self._site:
            return x
        signs = torch.randint(2, x.shape, generator=self._generator, device="cpu").to(x) * 2 - 1
        self._moved = x + signs * self._size * (x != 0)
        return self._moved
