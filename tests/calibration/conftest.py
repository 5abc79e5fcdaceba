"""A model of one neuron site, whose activations are what a test says they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from las.calibration import SiteStatistics
from las.calibration import bins as dyadic
from las.components.site import HGSite, OATSite


class Probe(nn.Module):
    """Token i has the activations `table[i]`; `site` sees them."""

    def __init__(self, table: Tensor, site: OATSite | HGSite) -> None:
        super().__init__()
        self.table = nn.Parameter(table)
        self.site = site
        site.name = "site"

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return self.site(self.table[input_ids]).value


@pytest.fixture
def probe() -> Callable[..., Probe]:
    def make(table: Tensor, site: OATSite | HGSite | None = None) -> Probe:
        return Probe(table, OATSite() if site is None else site)

    return make


@pytest.fixture
def seen() -> Callable[..., SiteStatistics]:
    """The statistics of a site that saw some values, worked out with numpy."""

    def make(values: NDArray[np.float64], scale_free: bool = False) -> SiteStatistics:
        histogram, _ = np.histogram(np.abs(values[values != 0]), dyadic.edges())
        return SiteStatistics(
            "oat",
            scale_free,
            len(values),
            float(values.min()),
            float(values.max()),
            float(values.sum()),
            float(np.square(values).sum()),
            histogram.astype(float),
            histogram.astype(float),
        )

    return make


@pytest.fixture
def tokens() -> dict[str, Tensor]:
    return {"input_ids": torch.arange(64).view(2, 32)}
