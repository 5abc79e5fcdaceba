"""The bounds that the published figures are held to: those in metrics/, which `make repro` writes.

They say nothing of code that has changed since. Live conversions of real models are in
tests/conversion/test_real_language_model.py and test_real_encoder.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

METRICS = Path(__file__).resolve().parents[2] / "metrics"


def metrics(model: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((METRICS / f"{model}.json").read_text())
    return found


@pytest.mark.parametrize(
    ("neuron", "perplexity_percent", "kl", "same_top"),
    [
        ("t16h5", 0.05, 2e-5, 0.995),
        ("t16h1", 0.2, 1e-3, 0.98),
        ("t12h5", 0.2, 3e-4, 0.98),
        ("t10h5", 0.5, 2e-3, 0.96),
        ("t8h5", 2.0, 2e-2, 0.90),
    ],
)
def test_a_language_model_loses_next_to_nothing(neuron, perplexity_percent, kl, same_top) -> None:
    found = metrics("smollm2-135m")[neuron]["text"]["wikipedia"]["perplexity"]
    assert found["windows"] == 8
    assert abs(found["relative_change_percent"]) <= perplexity_percent
    assert 0 < found["kl"] <= kl
    assert found["agreement"] >= same_top


def test_an_encoder_ranks_as_before() -> None:
    found = metrics("minilm-l6")["t16h5"]["similarity"]
    for name in ("wordsim353", "simlex999", "lee"):
        spearman = found[name]["spearman"]
        assert abs(spearman["snn"] - spearman["ann"]) <= 0.05, name
        assert 0 < spearman["hidden_relative_error"] <= 1e-3


@pytest.mark.parametrize("model", ["gpt2-wiki", "opt-wiki"])
def test_models_trained_here_lose_nothing(model: str) -> None:
    found = metrics(model)["t16h5"]["text"]["wikipedia"]["perplexity"]
    assert abs(found["relative_change_percent"]) <= 0.05
    assert 0 < found["kl"] <= 2e-5
