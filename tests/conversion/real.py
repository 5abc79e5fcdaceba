"""What the tests on real models have in common."""

from __future__ import annotations

from typing import Any

import torch

import las

SENTENCE = "The tower was built by a French engineer in 1889, and it is"
DUMP = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"


def hold_together(model: Any, batch: Any) -> None:
    """Step simulator and fused path in float64: the same outputs, spike for spike."""
    with torch.no_grad():
        with las.count_spikes(model) as fused_spikes:
            fused = model(**batch)[0]
        with las.simulate(model), las.count_spikes(model) as simulated_spikes:
            simulated = model(**batch)[0]
    assert float((fused - simulated).abs().max() / fused.abs().max()) <= 1e-9
    assert {name: site.spikes for name, site in fused_spikes.sites.items()} == {
        name: site.spikes for name, site in simulated_spikes.sites.items()
    }
