"""Weights in half precision: neurons compute in float32, and hand on what the weights can read."""

from __future__ import annotations

import pytest
import torch

import las
from tests import tiny_models

BATCHES = tiny_models.batches("llama")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["llama", "gpt2", "bert-classification", "gemma2"])
def test_spikes_cost_about_as_much_as_the_rounding_of_half_precision(
    family: str, dtype: torch.dtype
) -> None:
    """Against the float32 original: the fused path strays like the dense model of that dtype.

    Simulated, the T increments are rounded as they are added up: a few times as much.
    """
    with torch.no_grad():
        exact = tiny_models.build(family)(**BATCHES[0])[0]
        model = tiny_models.build(family).to(dtype)
        dense = model(**BATCHES[0])[0]
        las.convert(model, BATCHES)
        fused = model(**BATCHES[0])[0]
        with las.simulate(model):
            simulated = model(**BATCHES[0])[0]
    assert fused.dtype == simulated.dtype == dtype
    errors = [float((x.float() - exact).abs().mean()) for x in (dense, fused, simulated)]
    assert 0 < errors[1] < 2 * errors[0]
    assert 0 < errors[2] < 4 * errors[0]
