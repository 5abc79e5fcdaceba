"""Gradients of a loss at neuron sites, summed by the magnitudes that they belong to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from las.calibration.bins import BINS, OCTAVES, bins_of, octaves_of
from las.calibration.shifts import units_of
from las.components.padding import TokenMasks
from las.components.readers import FirstReaders
from las.components.site import OATSite, Site
from las.neurons.mt import wide

Array = NDArray[np.float64]


class _Seen(NamedTuple):
    """What came to a site.

    Attributes:
        x: its inputs, float32 at least: in units of their channels they may be larger.
        padding: which tokens of x are padding; None for none.
        weighed: whether weights read it.
    """

    x: Tensor
    padding: Tensor | None
    weighed: bool


class _Observer(ABC):
    """Observes OAT sites and is told the gradients that come back to them.

    Arguments:
        shared: sites that are served by another one.

    Attributes:
        activations: by site, how many inputs were seen.
    """

    def __init__(self, shared: Mapping[str, str]) -> None:
        self.activations: dict[str, int] = {}
        self._shared = shared
        self._masks = TokenMasks()
        self._readers = FirstReaders()
        self._passed_on: dict[str, Tensor] = {}

    def begin(self, masks: TokenMasks) -> None:
        """Begin another forward pass, whose masks tell padding."""
        self._masks = masks
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
        seen = _Seen(wide(x.detach()), self._masks.padding_of(site, x), importance is not None)
        passed_on.register_hook(partial(self._told, site, seen))
        self._passed_on[site.name] = passed_on
        self.activations[site.name] = self.activations.get(site.name, 0) + x.numel()
        return passed_on

    def _told(self, site: OATSite, seen: _Seen, gradient: Tensor) -> None:
        self._add(site, seen, gradient.double().nan_to_num(0.0, 0.0, 0.0))

    @abstractmethod
    def _add(self, site: OATSite, seen: _Seen, gradient: Tensor) -> None:
        """Take note of the gradient of a site's inputs, float64, of their shape."""


class ChannelGradients(_Observer):
    """Adds up squared gradients by the channel of their inputs.

    Attributes:
        squares: by site that weights read, (channels,).
    """

    def __init__(self, shared: Mapping[str, str]) -> None:
        super().__init__(shared)
        self.squares: dict[str, Tensor] = {}

    def _add(self, site: OATSite, seen: _Seen, gradient: Tensor) -> None:
        if seen.weighed:
            squares = gradient.square().flatten(end_dim=-2).sum(0)
            self.squares[site.name] = self.squares.get(site.name, 0.0) + squares


@dataclass
class Sums:
    """What a site's gradients come to.

    Attributes:
        squares: of them, by the magnitude of their inputs, (BINS,).
        products: of gradients times values of every two values of a token, by the octaves of the
            two, (OCTAVES, OCTAVES).
        values: how many inputs that are neither 0 nor padding are in each bin, (BINS,).
    """

    squares: Array = field(default_factory=lambda: np.zeros(BINS))
    products: Array = field(default_factory=lambda: np.zeros((OCTAVES, OCTAVES)))
    values: Array = field(default_factory=lambda: np.zeros(BINS))

    def add(self, x: Tensor, gradient: Tensor, padding: Tensor | None, token_dim: int) -> None:
        """Add those of one call.

        Arguments:
            x: inputs.
            gradient: of them, float64.
            padding: which tokens are padding; None for none.
            token_dim: which dimension of x counts tokens.
        """
        counts = (x != 0).double()
        if padding is not None:
            counts = counts.masked_fill(padding[..., None], 0.0)
        self.squares += by_magnitude(x, gradient.square())
        self.products += products_of_octaves(x, gradient * x.double(), token_dim)
        self.values += by_magnitude(x, counts)


class Gradients(_Observer):
    """Adds up squared gradients by the magnitude of their inputs.

    Arguments:
        shared: sites that are served by another one.
        shifts: by site, the octaves by which the unit of each channel is above 1, (channels,); of
            sites that are wanted in such units, too.

    Attributes:
        alike: by site.
        apart: by site, of values and gradients in the units of their channels.
    """

    def __init__(self, shared: Mapping[str, str], shifts: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__(shared)
        self.alike: dict[str, Sums] = {}
        self.apart: dict[str, Sums] = {}
        self._shifts = shifts

    def _add(self, site: OATSite, seen: _Seen, gradient: Tensor) -> None:
        (name, dim), (x, padding, _) = (site.name, site.token_dim), seen
        self.alike.setdefault(name, Sums()).add(x, gradient, padding, dim)
        if (shifts := self._shifts.get(name)) is not None:
            units = units_of(shifts, x)
            sums = self.apart.setdefault(name, Sums())
            sums.add(x / units, gradient * units, padding, dim)


def by_magnitude(x: Tensor, weights: Tensor) -> Array:
    """The sums of the weights of values, by the bins of their magnitudes, (BINS,)."""
    return torch.bincount(bins_of(x).flatten(), weights.flatten(), BINS).cpu().numpy()


def products_of_octaves(x: Tensor, weights: Tensor, token_dim: int) -> Array:
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
