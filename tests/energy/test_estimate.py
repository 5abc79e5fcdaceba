"""The energy of Eq. 25, checked against numbers worked out by hand."""

from __future__ import annotations

import json

import pytest

from las.energy import COST_MODELS, PAPER, CostModel, EnergyReport, estimate
from las.fitting.functions import FUNCTIONS
from las.neurons.tally import OperationCount, SpikeTally


@pytest.fixture
def tally() -> SpikeTally:
    """A linear layer 8 -> 4 on 2 tokens, its GELU, and a softmax over 2 rows of 3 scores."""
    tally = SpikeTally(tokens=2)
    # 2 tokens x 8 inputs, 20 spikes in all, each reaching 4 outputs: 80 SOPs; 2 x 8 x 4 = 64 MACs.
    tally.add_operations("fc", "fc", "linear", sops=80, macs=64)
    # 2 x 4 activations, 10 spikes of HG neurons.
    tally.add_operations("act", "act", "activation", sops=10, macs=0, nonlinear={"gelu": 8})
    # 6 exponentials, 2 reciprocals; 6 products of the two.
    tally.add_operations(
        "softmax", "attn", "softmax", sops=30, macs=6, nonlinear={"exp": 6, "reciprocal": 2}
    )
    return tally


def test_the_paper_states_three_costs_and_two_energies() -> None:
    assert (PAPER.mac_pj, PAPER.ac_pj) == (4.6, 0.9)
    assert [PAPER.function_flops[name] for name in ("gelu", "exp", "sqrt")] == [70, 20, 12]
    assert COST_MODELS["paper"] is PAPER


def test_derived_costs_are_made_of_the_stated_ones() -> None:
    flops = PAPER.function_flops
    assert flops["inverse_sqrt"] == 12 + 1
    assert flops["sigmoid"] == 20 + 1 + 1
    assert flops["silu"] == flops["sigmoid"] + 1
    assert flops["quick_gelu"] == flops["silu"] + 1


def test_every_function_that_can_be_fitted_has_a_cost() -> None:
    assert set(FUNCTIONS) <= set(PAPER.function_flops)


def test_energy_per_component(tally: SpikeTally) -> None:
    fc, act, softmax = estimate(tally).rows
    # 80 x 0.9 = 72 pJ against 64 x 4.6 = 294.4 pJ.
    assert fc.snn_pj == pytest.approx(72.0)
    assert fc.ann_pj == pytest.approx(294.4)
    assert fc.ratio == pytest.approx(72.0 / 294.4)
    # 10 x 0.9 = 9 pJ against 8 x 70 x 4.6 = 2576 pJ.
    assert (act.snn_pj, act.ann_pj) == pytest.approx((9.0, 2576.0))
    assert act.nonlinear_flops == 560
    # 30 x 0.9 = 27 pJ against (6 + 6 x 20 + 2 x 1) x 4.6 = 128 x 4.6 = 588.8 pJ.
    assert (softmax.snn_pj, softmax.ann_pj) == pytest.approx((27.0, 588.8))


def test_the_total_is_equation_25(tally: SpikeTally) -> None:
    total = estimate(tally).total
    # SOPs 80 + 10 + 30 = 120; FLOPs 64 + 560 + 128 = 752.
    assert (total.sops, total.macs + total.nonlinear_flops) == (120, 752)
    # (120 x 0.9) / (752 x 4.6) = 108 / 3459.2
    assert total.ratio == pytest.approx(108.0 / 3459.2)


def test_silence_costs_nothing(tally: SpikeTally) -> None:
    for operation in tally.operations.values():
        operation.sops = 0
    total = estimate(tally).total
    assert total.snn_pj == 0.0
    assert total.ratio == 0.0
    assert total.ann_pj > 0.0


def test_what_a_spiking_model_multiplies_itself_costs_a_mac_each() -> None:
    """The first layer of somebody else's model, run at four time steps."""
    tally = SpikeTally(operations={"a": OperationCount("a", "dense", macs=10, dense_macs=40)})
    assert estimate(tally).total.snn_pj == pytest.approx(40 * PAPER.mac_pj)
    assert estimate(tally).total.ratio == pytest.approx(4)


def test_a_spiking_stage_without_an_ann_counterpart_has_no_ratio() -> None:
    tally = SpikeTally()
    tally.add_operations("extra", "extra", "activation", sops=5, macs=0)
    assert estimate(tally).rows[0].ratio is None
    assert "–" in estimate(tally).to_markdown()


def test_merged_tallies_add(tally: SpikeTally) -> None:
    twice = SpikeTally()
    twice.merge(tally)
    twice.merge(tally)
    once, both = estimate(tally), estimate(twice)
    assert both.tokens == 2 * once.tokens
    assert both.total.sops == 2 * once.total.sops
    assert both.total.snn_pj == pytest.approx(2 * once.total.snn_pj)
    assert both.total.ratio == pytest.approx(once.total.ratio)


def test_another_cost_model_changes_the_ratio(tally: SpikeTally) -> None:
    equal = CostModel("equal", mac_pj=1.0, ac_pj=1.0)
    assert estimate(tally, equal).total.ratio == pytest.approx(120 / 752)


def test_rows_group_and_sort_without_losing_anything(tally: SpikeTally) -> None:
    report = estimate(tally)
    assert [row.name for row in report.sorted()] == ["fc", "softmax", "act"]
    groups = report.grouped(lambda row: "product" if row.macs else "function")
    assert [group.name for group in groups] == ["product", "function"]
    assert sum(group.sops for group in groups) == report.total.sops


def test_a_report_survives_json(tally: SpikeTally) -> None:
    report = estimate(tally)
    again = EnergyReport.from_dict(json.loads(json.dumps(report.to_dict())))
    assert again.to_dict() == report.to_dict()
    assert again.total == report.total


def test_markdown_starts_with_the_total(tally: SpikeTally) -> None:
    lines = estimate(tally).to_markdown().splitlines()
    assert lines[2].startswith("| total | total | 120 |")
    assert lines[3].startswith("| fc | linear | 80 | 64 |")
    assert lines[3].endswith("| 66.7% |")


def test_an_empty_tally_is_refused() -> None:
    with pytest.raises(ValueError, match="count_spikes"):
        estimate(SpikeTally())


def test_an_unknown_function_is_named() -> None:
    tally = SpikeTally()
    tally.add_operations("act", "act", "activation", sops=0, macs=0, nonlinear={"mish": 1})
    with pytest.raises(ValueError, match="mish"):
        estimate(tally)
