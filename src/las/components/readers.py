"""Which linear layers read the same tensor: the site of the first one can serve them all."""

from __future__ import annotations

import weakref
from collections.abc import Mapping

from torch import Tensor

from las.components.site import Site, version_of


class FirstReaders:
    """The site that each tensor of a forward pass came to first."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Tensor], int, Site]] = {}

    def before(self, site: Site, x: Tensor) -> Site | None:
        """The first reader of this very tensor, unchanged since; None makes `site` the first."""
        known = self._known.get(id(x))
        if known is not None and known[0]() is x and known[1] == version_of(x):
            return known[2]
        self._known[id(x)] = (weakref.ref(x), version_of(x), site)
        return None

    def serving(self, site: Site, x: Tensor, shared: Mapping[str, str]) -> Site | None:
        """The first reader of this very tensor if its neurons serve `site`, too.

        Arguments:
            site: reads x.
            x: its input.
            shared: by site, which other one serves it.
        """
        first = self.before(site, x)
        serves = first is not None and first.name in (site.name, shared.get(site.name))
        return first if serves else None

    def forget(self) -> None:
        """Begin another forward pass."""
        self._known.clear()
