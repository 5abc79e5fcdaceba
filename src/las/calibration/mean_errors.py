"""What spikes do to activations on average, without any neuron."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from las.calibration.bins import octaves_of
from las.components.readers import FirstReaders
from las.components.site import OATSite, Site


class MeanErrors:
    """Observes OAT sites and lets each value err as all of its octave do in the mean.

    Where small values are silent, all of them become smaller. Errors that are that much alike add
    up over sites and tokens before they are squared.

    Arguments:
        relative: by site, the mean errors of the values in each octave, relative to them,
            (OCTAVES,).
        shared: sites that are served by another one.
    """

    def __init__(
        self, relative: Mapping[str, NDArray[np.float64]], shared: Mapping[str, str]
    ) -> None:
        self._relative = {site: torch.from_numpy(one) for site, one in relative.items()}
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
        shares = self._relative.get(self._shared.get(site.name, site.name))
        moved = x if shares is None else x + x * shares.to(x)[octaves_of(x)]
        if site.name in self._serving:
            self._passed_on[site.name] = moved
        return moved
