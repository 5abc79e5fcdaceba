"""What the step simulator's neurons fire, counted spike by spike."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import las
from las.components.running import running
from las.components.site import OATSite
from las.neurons import oat
from las.neurons.encoding import Firing
from tests.neurons.signed_digits import fewest_digits

_DIGITS = torch.tensor([fewest_digits(level) for level in range(32)])


class Heard(NamedTuple):
    """What each input of a site has fired: spikes, digits, and whether any, int64 like it."""

    spikes: Tensor
    digits: Tensor
    active: Tensor

    @classmethod
    def of(cls, site: Any, x: Tensor, train: list[Tensor]) -> Heard:
        spikes = torch.zeros(x.shape, dtype=torch.int64)
        digits = torch.zeros_like(spikes)
        for t, weighted in enumerate(train, 1):
            fired = weighted != 0
            spikes += fired
            if isinstance(site, OATSite):
                digits += _DIGITS[oat.levels_of(weighted, t, x, site.neuron).long()]
            else:
                digits += fired
        active = (spikes > 0).long() if isinstance(site, OATSite) else spikes
        return cls(spikes, digits, active)

    def times(self, read: Tensor | int) -> Firing:
        """All of it, each input as often as it is read."""
        return Firing(*(int((part * read).sum()) for part in self))

    def at(self, *place: int) -> Firing:
        """What one input has fired."""
        return Firing(*(int(part[place]) for part in self))


class Listener:
    """Hears the spike trains of all sites.

    Attributes:
        calls: by site, what each call has fired.
    """

    def __init__(self) -> None:
        self.calls: dict[str, list[Heard]] = {}

    def told(
        self, site: Any, x: Tensor, train: Iterator[Tensor], silent: Tensor | None
    ) -> Iterator[Tensor]:
        fired = []
        for weighted in train:
            fired.append(weighted)
            yield weighted
        self.calls.setdefault(site.name, []).append(Heard.of(site, x, fired))

    def __getitem__(self, site: str) -> Heard:
        """The only call of a site."""
        (heard,) = self.calls[site]
        return heard


def listen(model: nn.Module, forward: Any) -> Listener:
    """Run something on the step simulator and hear all neurons."""
    listener = Listener()
    with torch.no_grad(), las.simulate(model):
        (run,) = running(model)
        with run.run.recorded(listener):
            forward()
    return listener


def products(
    left: Heard, right: Heard, seen: Tensor, width: int, keys: str
) -> tuple[Firing, Firing, int]:
    """What scores ("columns") or context ("rows") cost, pair by pair.

    Arguments:
        left: queries (B, H, L, D), or probabilities (B, H, L, S).
        right: keys or values, (B, H_kv, S, width).
        seen: which keys a query sees, (B, H, L, S).
        width: of keys, or of values.
        keys: what of K^T, or of V, the keys are.

    Returns:
        What both operands cause, what the right one does, and the multiplications.
    """
    batch, heads, queries, count = seen.shape
    groups = heads // right.spikes.shape[1]
    of_left, of_right, macs = Firing(), Firing(), 0
    for n, h, i, j in product(*map(range, (batch, heads, queries, count))):
        if not seen[n, h, i, j]:
            continue
        for w in range(width):
            of_left += left.at(n, h, i, w if keys == "columns" else j)
            of_right += right.at(n, h // groups, j, w)
            macs += 1
    return of_left + of_right, of_right, macs
