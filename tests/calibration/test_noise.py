"""What errors cost where there is no gradient, beside what gradients say."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

import las
from las.calibration.importance import collect_sensitivity
from las.calibration.noise import by_noise
from las.calibration.sensitivity import Sensitivity, by_gradients
from las.components.site import OATSite
from las.conversion.checkpoint import converted_in
from las.conversion.convert import calibrate
from las.errors import CalibrationError
from tests.calibration.test_sensitivity import Layers, W, X, batches, text
from tests.conversion.test_frugal import loss_of
from tests.tiny_models import plain


def test_costs_of_a_linear_model_are_those_of_its_squared_weights() -> None:
    """All three channels in one: the sum of W_ji^2 / sum of (W x)_j^2, a third for each."""
    found = by_noise(Layers(X[None], W), batches(4), {})
    whole = found.costs["layers.0.site"]
    expected = float(W.square().sum() / (W @ X).square().sum())
    assert whole.sum() == pytest.approx(expected, rel=0.06)
    assert np.allclose(whole[whole > 0], expected / 3, rtol=0.06)
    assert found.synapses == {"layers.0.site": 2}


def test_readers_that_share_neurons_see_the_same_noise() -> None:
    """W and -W cancel in the sum that is the output, so that what both see costs nothing."""

    class Difference(Layers):
        def forward(self, input_ids: Any, attention_mask: Any = None) -> Any:
            x = self.table[input_ids]
            return x[..., :2] + self.layers[0](x) + self.layers[1](x)

    model = Difference(X[None], W, -W)
    shared = by_noise(model, batches(4, 64), {"layers.1.site": "layers.0.site"})
    assert list(shared.costs) == ["layers.0.site"]
    assert shared.costs["layers.0.site"].sum() < 1e-6
    apart = by_noise(model, batches(4, 64), {})
    assert all(cost.sum() > 0.1 for cost in apart.costs.values())


def sums(found: Sensitivity) -> list[float]:
    """The costs of the sites that have any, in the order of their names."""
    return [float(cost.sum()) for _, cost in sorted(found.costs.items()) if cost.any()]


@pytest.mark.parametrize("make", [plain.llama, plain.bert], ids=["llama", "bert"])
def test_it_ranks_the_sites_of_a_model_as_gradients_do(make: Any) -> None:
    model, rows = make(), text(16)
    statistics, _ = calibrate(model, rows)
    noise, gradients = (f(model, rows, statistics.shared) for f in (by_noise, by_gradients))
    seen = {site for site, cost in gradients.costs.items() if cost.any()}
    assert seen == {site for site, cost in noise.costs.items() if cost.any()}
    assert spearmanr(sums(noise), sums(gradients)).statistic > 0.9
    assert noise.synapses == gradients.synapses


def sealed(whole: bool) -> nn.Module:
    """A model that runs like one with kernels that have no gradient, all of it or its blocks."""
    model = plain.llama()
    part = model if whole else model.model
    kind = type(part)
    part.__class__ = type(kind.__name__, (kind,), {"forward": torch.no_grad()(kind.forward)})
    return model


@pytest.mark.parametrize("whole", [True, False])
def test_a_budget_is_met_without_gradients_and_it_is_said(whole: bool) -> None:
    budget = 1e-3
    rows = plain.batches(8)
    said = "the outputs have no gradient" if whole else "some of its layers have no gradient"
    with pytest.warns(UserWarning, match=said):
        model = las.convert(sealed(whole), rows, las.SpikeConfig(budget=budget))
    spent = converted_in(model)[1].spent
    assert spent is not None and budget / 2 < spent.measured <= budget
    assert loss_of(model, plain.llama(), rows) < 2 * budget
    finest = sum(part.time_steps == 16 for part in model.modules() if isinstance(part, OATSite))
    assert not finest  # as those have that no output sees


def test_weights_that_are_kept_elsewhere_are_never_held_all_at_once() -> None:
    from accelerate import cpu_offload

    model = plain.llama()
    rows = text(8)
    statistics, _ = calibrate(model, rows)
    expected = by_noise(model, rows, statistics.shared)
    cpu_offload(model)
    with pytest.warns(UserWarning, match="kept elsewhere"):
        found = collect_sensitivity(model, rows, statistics.shared)
    assert sums(found) == pytest.approx(sums(expected))


def test_where_memory_is_too_short_for_gradients_noise_tells(monkeypatch: Any) -> None:
    model = Layers(X[None], W)

    def exhausted(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")

    monkeypatch.setattr(torch.Tensor, "backward", exhausted)
    with pytest.warns(UserWarning, match=r"\(CUDA out of memory.*by noise instead, at 1 site"):
        found = collect_sensitivity(model, batches(4), {})
    assert found.costs["layers.0.site"].any()


def test_with_gradients_nothing_is_said_and_nothing_changes() -> None:
    """Of a BERT, whose pooler no loss sees."""
    model, rows = plain.bert(), text(8)
    statistics, _ = calibrate(model, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = collect_sensitivity(model, rows, statistics.shared)
    expected = by_gradients(model, rows, statistics.shared)
    assert found.costs.keys() == expected.costs.keys() < expected.synapses.keys()
    assert all(np.array_equal(cost, expected.costs[site]) for site, cost in found.costs.items())
    assert found.synapses == expected.synapses


def test_without_batches_it_says_so() -> None:
    with pytest.raises(CalibrationError, match="there is none"):
        by_noise(Layers(X[None], W), [], {})
