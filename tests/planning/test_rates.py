from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

import las
from las.calibration import Statistics
from las.calibration.statistics import SiteStatistics
from las.fitting import fit_functions
from las.planning.rates import Record, gather, measured, role, shipped
from tests import tiny_models

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two cells as the pipeline writes them, and one of neurons with another option."""
    model = las.convert(tiny_models.build("llama"), tiny_models.batches("llama"))
    with las.count_spikes(model) as tally, torch.no_grad():
        model(**tiny_models.batches("llama", 1)[0])
    functions = fit_functions(
        Statistics("", "", {"a": SiteStatistics("silu", count=1, low=-4, high=4)}),
        las.SpikeConfig(),
    )
    for neuron, evaluation in (
        (las.SpikeConfig(), "text"),
        (las.SpikeConfig(), "anytime"),
        (las.SpikeConfig(bands=1), "text"),
    ):
        folder = tmp_path / "results" / "m" / f"bands{neuron.bands}" / evaluation
        folder.mkdir(parents=True)
        head = {"model": {"title": "M"}, "evaluation": evaluation, "neuron": asdict(neuron)}
        (folder / "evaluation.json").write_text(json.dumps(head))
        (folder / "spikes.json").write_text(json.dumps(tally.to_dict()))
        neurons = tmp_path / "spiking" / "m" / "neurons" / f"bands{neuron.bands}"
        neurons.mkdir(parents=True, exist_ok=True)
        functions.save(neurons / "functions.safetensors")
    return tmp_path


def gathered(root: Path) -> list[Record]:
    return list(gather(root / "results", root / "spiking"))


def test_rates_are_sums_over_the_sites_of_a_role(results: Path) -> None:
    (record,) = gathered(results)
    tally = json.loads((results / "results/m/bands2/text/spikes.json").read_text())
    keys = [site for name, site in tally["sites"].items() if name.endswith(".key")]
    assert len(keys) == 2
    counted = tuple(sum(site[part] for site in keys) for part in ("spikes", "activations"))
    assert record.sites["oat key"] == counted
    products = [op for op in tally["operations"].values() if op["kind"] == "matmul"]
    assert record.operations["matmul"] == tuple(
        sum(op[part] for op in products) for part in ("sops", "macs")
    )
    rates = measured(16, 5, [record])
    assert rates is not None
    assert rates.of("oat key") == counted[0] / counted[1]
    assert rates.functions["silu"] == record.functions["silu"] > 1


def test_what_was_never_counted_gets_the_mean_of_its_kind(results: Path) -> None:
    rates = measured(16, 5, gathered(results))
    assert rates is not None
    hg = [rate for name, rate in rates.spikes.items() if name.startswith("hg:")]
    assert rates.of("hg:quick_gelu") == sum(hg) / len(hg)
    assert min(hg) < rates.work("activation") < max(hg)
    assert measured(3, 5, gathered(results)) is None


def test_roles() -> None:
    assert role("model.layers.3.self_attn.spiking_attention.key", "oat") == "oat key"
    assert role("model.layers.3.mlp.act_fn.site", "hg:silu") == "hg:silu"


def test_an_hg_neuron_fires_in_about_half_of_its_steps_in_every_record() -> None:
    """Its first step carries the offset; the T - 1 others code in binary."""
    assert len({record.model for record in shipped()}) > 1
    for record in shipped():
        for name, (spikes, activations) in record.sites.items():
            if name.startswith("hg:") and name != "hg:square":
                expected = 1 + (record.time_steps - 1) / 2
                assert spikes / activations == pytest.approx(expected, rel=0.05)


def test_the_shipped_rates_are_those_of_the_results() -> None:
    """After `make repro`: what is shipped is what was counted, give or take a change of neurons."""
    records = gather(ROOT / "results", ROOT / "data" / "spiking")
    found = {(r.model, r.evaluation, r.time_steps, r.levels): r for r in records}
    if not found:
        pytest.skip("results/ is empty: make repro writes it")
    for record in shipped():
        key = (record.model, record.evaluation, record.time_steps, record.levels)
        if key in found:
            for name, (spikes, activations) in record.sites.items():
                now = found[key].sites[name]
                assert now[0] / now[1] == pytest.approx(spikes / activations, rel=0.05)
