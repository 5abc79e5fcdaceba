"""What spikes do to activations on average, without any neuron."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from las.calibration.bins import octaves_of
from las.calibration.shifts import units_of
from las.components.readers import FirstReaders
from las.components.site import OATSite, Site
from las.neurons.mt import wide


class MeanErrors:
    """Observes OAT sites and lets each value err as all of its octave do in the mean.

    Where small values are silent, all of them become smaller. Errors that are that much alike add
    up over sites and tokens before they are squared.

    Arguments:
        relative: by site, the mean errors of the values in each octave, relative to them,
            (OCTAVES,).
        shared: sites that are served by another one.
        shifts: by site, in what units of its channels the octaves are; where they are not 1.
    """

    def __init__(
        self,
        relative: Mapping[str, NDArray[np.float64]],
        shared: Mapping[str, str],
        shifts: Mapping[str, tuple[int, ...]],
    ) -> None:
        self._relative = {site: torch.from_numpy(one) for site, one in relative.items()}
        self._shifts = shifts
        self._shared = shared
        self._serving = set(shared.values())
        self._readers = FirstReaders()
        self._passed_on: dict[str, Tensor] = {}

    def observe(self, site: Site, x: Tensor, importance: Callable[[], Tensor] | None) -> Tensor:
        """What x becomes, the same to all that read the same neurons."""
        if not isinstance(site, OATSite):
            return x
        first = self._readers.serving(site, x, self._shared)
        if first is not None:
            return self._passed_on[first.name]
        name = self._shared.get(site.name, site.name)
        moved = self._moved(x, name) if name in self._relative else x
        if site.name in self._serving:
            self._passed_on[site.name] = moved
        return moved

    def _moved(self, x: Tensor, name: str) -> Tensor:
        """x with the mean errors of its octaves, in units of its channels."""
        shifts = self._shifts.get(name)
        in_units = wide(x)  # where x is narrow, they may be beyond its range
        if shifts:
            in_units = in_units / units_of(shifts, in_units)
        return x + x * self._relative[name].to(x)[octaves_of(in_units)]
