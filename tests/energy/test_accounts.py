"""The accounts, every energy worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import pytest

from las.energy import (
    HARDWARE,
    PAPER,
    Constant,
    Hardware,
    Memory,
    accounts,
    described,
    estimate,
    verdict,
)
from las.energy.accounts import complete
from las.energy.charges import comparisons
from las.energy.formats import BF16, FP32, INT8, integers
from las.neurons.tally import OperationCount, SiteCount, SpikeTally


def constants(**energies: float) -> dict[str, Constant]:
    return {name: Constant(pj, "made up") for name, pj in energies.items()}


ROUND = Hardware(
    name="round",
    title="round numbers",
    additions=constants(fp32=1.0, int32=0.5),
    products=constants(fp32=3.0, bf16=2.0, int8=0.25, int32=4.0),
    near=Memory("near", Constant(2.0, "made up"), 64),  # 1 pJ for 32 bits
    far=Memory("far", Constant(80.0, "made up"), 64),  # 40 pJ for 32 bits
    batch=2,
)
"""Energies by which one reckons without paper."""


@pytest.fixture
def tally() -> SpikeTally:
    """Two tokens through a linear layer 8 -> 4, and the scores of a query and two keys."""
    return SpikeTally(
        sites={
            # 16 inputs, of which 12 fire, 20 spikes at H = 5 with 34 digits.
            "fc.site": SiteCount("oat", 4, 16, 20, 0, digits=34, active=12, levels=5),
            # 8 inputs of GELU, 10 spikes.
            "act.site": SiteCount("hg:gelu", 4, 8, 10, 0, digits=10, active=8),
            # Queries of width 4 for each of 2 tokens, and keys of the same size.
            "attn.query": SiteCount("oat", 4, 8, 9, 0, digits=12, active=7, levels=5),
            "attn.key": SiteCount("oat", 4, 8, 11, 0, digits=15, active=8, levels=5),
        },
        operations={
            "fc": OperationCount(
                *("fc", "linear"), sops=80, macs=64, additions=136, fetches=48,
                inputs=16, outputs=8, weights=32,
            ),
            "act": OperationCount(
                *("act", "activation"), sops=10, nonlinear={"gelu": 8}, additions=10, fetches=10,
                inputs=8, outputs=8,
            ),
            "attn.scores": OperationCount(
                *("attn", "matmul"), sops=40, macs=16, additions=54, fetches=30,
                early_sops=22, early_additions=30, early_fetches=16, inputs=16, outputs=4,
            ),
        },
        tokens=2,
    )  # fmt: skip


def binary(tally: SpikeTally) -> SpikeTally:
    """The same counts as those of neurons with one level."""
    for site in tally.sites.values():
        site.levels, site.digits = 1, site.spikes
    for operation in tally.operations.values():
        operation.additions, operation.early_additions = operation.sops, operation.early_sops
    return tally


def test_the_first_account_is_equation_25_to_the_digit(tally: SpikeTally) -> None:
    paper, report = accounts(tally, ROUND)["paper"], estimate(tally)
    assert [row.snn.total for row in paper.rows] == [row.snn_pj for row in report.rows]
    assert [row.ann.total for row in paper.rows] == [row.ann_pj for row in report.rows]
    assert paper.ratio == report.total.ratio
    # 80 + 10 + 40 SOPs, of which keys cause 22; 64 + 16 MACs and 8 x 70 FLOPs.
    assert paper.last is not None
    assert paper.last.total == pytest.approx((130 - 22) * 0.9)
    assert paper.last_ratio == pytest.approx((130 - 22) * 0.9 / (640 * 4.6))


def test_graded_spikes_cost_their_digits_and_neurons_compare(tally: SpikeTally) -> None:
    account = accounts(tally, ROUND)["graded_fp32"]
    rows = {row.name: row for row in account.rows}
    assert rows["fc"].snn.total == 136.0
    assert rows["fc"].ann.total == 64 * (3 + 1)
    assert rows["act"].snn.total == 10.0
    assert rows["act"].ann.total == 8 * 70 * (3 + 1)
    assert (rows["attn.scores"].snn.total, rows["attn.scores"].last.total) == (54.0, 24.0)
    # 16 inputs x (4 steps + 1 gate), 20 spikes x 3 comparisons of 5 levels, 20 resets.
    assert rows["fc.site"].snn.total == 16 * 5 + 20 * 3 + 20
    # 8 inputs x (4 steps + 12 for the gate), 10 resets; one level is not looked for.
    assert rows["act.site"].snn.total == 8 * 16 + 10
    assert rows["fc.site"].ann.total == 0.0
    neurons = (80 + 60 + 20) + (128 + 10) + (40 + 27 + 9) + (40 + 33 + 11)
    assert account.snn is not None and account.last is not None
    assert account.snn.total == 136 + 10 + 54 + neurons
    assert account.last.total == 136 + 10 + 24 + neurons
    assert account.ratio == account.snn.total / ((64 + 16 + 560) * 4)


def test_a_neuron_major_schedule_reads_once_for_each_input_that_fires(tally: SpikeTally) -> None:
    rows = {row.name: row for row in accounts(tally, ROUND)["neuron_major_fp32"].rows}
    # Near: 48 fetches. Far: a weight is needed by none of 2 tokens at (1 - 48/64)^2 = 1/16, and
    # read once for both: 64 / 2 x 15/16 = 30 words at 40 pJ.
    assert rows["fc"].snn.weights == 48 + 30 * 40
    assert rows["fc"].ann.weights == 64 + 32 * 40
    # 8 potentials are written, 16 read; 20 spikes written and read.
    assert rows["fc"].snn.states == 8.0
    assert (rows["fc.site"].snn.states, rows["fc.site"].snn.events) == (16.0, 40.0)
    assert rows["fc"].ann.activations == 16 + 8
    # Keys lie near at hand: nothing comes from far.
    scores = rows["attn.scores"]
    assert (scores.snn.weights, scores.last.weights, scores.ann.weights) == (30.0, 14.0, 16.0)
    # An HG neuron reads its four parameters.
    assert rows["act.site"].snn.weights == 8 * 4
    assert rows["act"].snn.weights == 0.0


def test_a_time_major_schedule_reads_at_every_spike(tally: SpikeTally) -> None:
    rows = {row.name: row for row in accounts(tally, ROUND)["time_major_fp32"].rows}
    assert rows["fc"].snn.weights == 80 + 30 * 40
    assert (rows["attn.scores"].snn.weights, rows["attn.scores"].last.weights) == (40.0, 18.0)
    # 16 potentials, read and written in each of 4 steps.
    assert rows["fc.site"].snn.states == 16 * 4 * 2
    assert rows["fc.site"].snn.events == 40.0
    assert rows["act.site"].snn.weights == 8 * 4 * 4


def test_opponents_of_equal_precision(tally: SpikeTally) -> None:
    """Both sides hold weights in the format, and add up in 32 bits."""
    found = accounts(tally, ROUND)
    rows = {row.name: row for row in found["neuron_major_int8"].rows}
    assert rows["fc"].snn.arithmetic == 136 * 0.5
    assert rows["fc"].ann.arithmetic == 64 * (0.25 + 0.5)
    assert rows["fc"].snn.weights == 48 * 0.25 + 30 * 10
    assert rows["fc"].ann.weights == 64 * 0.25 + 32 * 10
    assert rows["fc"].ann.activations == 24 * 0.25
    assert rows["fc"].snn.states == 8.0  # potentials keep their 32 bits
    assert rows["act"].ann.arithmetic == 560 * (3 + 1)  # functions stay in FP32
    rows = {row.name: row for row in found["graded_bf16"].rows}
    assert rows["fc"].snn.arithmetic == 136 * 1.0
    assert rows["fc"].ann.arithmetic == 64 * (2.0 + 1.0)
    # T = 4: integers of 4 bits, half a step of the power law below 8: 0.25 x 16^-0.5.
    rows = {row.name: row for row in found["graded_int4"].rows}
    assert rows["fc"].ann.arithmetic == pytest.approx(64 * (0.25 / 4 + 0.5))


def test_t_bit_integers_appear_once(tally: SpikeTally) -> None:
    for site in tally.sites.values():
        site.time_steps = 8
    slugs = [one.slug for one in accounts(tally, ROUND).accounts]
    assert slugs.count("graded_int8") == 1
    assert len(slugs) == len(set(slugs)) == 1 + 3 * 3


def test_the_softmax_keeps_its_running_maxima(tally: SpikeTally) -> None:
    tally.sites["attn.softmax.exp"] = SiteCount("hg:exp", 4, 4, 6, 0, 6, 4)
    tally.operations["attn.softmax"] = OperationCount(
        *("attn", "softmax"), sops=14, macs=4, nonlinear={"exp": 4}, additions=14, fetches=14,
        inputs=4, outputs=4,
    )  # fmt: skip
    rows = {row.name: row for row in accounts(tally, ROUND)["graded_fp32"].rows}
    assert rows["attn.softmax"].snn.total == 14 + 4 * 4


@pytest.mark.parametrize("hardware", [ROUND, *HARDWARE.values()], ids=lambda one: one.name)
def test_with_one_level_a_spike_is_one_accumulation(tally: SpikeTally, hardware: Hardware) -> None:
    """Account 2 then adds as often as account 1."""
    found = accounts(binary(tally), hardware)
    paper = {row.name: row.snn.total / PAPER.ac_pj for row in found["paper"].rows}
    for one in found.accounts:
        if one.slug != "graded_fp32" or not one.rows:
            continue
        per_addition = hardware.additions["fp32"].pj
        for row in one.rows:
            if row.name in paper:
                assert row.snn.total / per_addition == pytest.approx(paper[row.name])


def test_more_is_charged_from_account_to_account(tally: SpikeTally) -> None:
    found = accounts(tally, ROUND)
    for name in ("fp32", "bf16", "int8", "int4"):
        slugs = (f"graded_{name}", f"neuron_major_{name}", f"time_major_{name}")
        totals = [found[slug].snn for slug in slugs]
        assert all(totals)
        assert totals[0].total < totals[1].total < totals[2].total  # type: ignore[union-attr]
        arithmetic = {one.arithmetic for one in totals}  # type: ignore[union-attr]
        assert len(arithmetic) == 1
        for slug in slugs:
            account = found[slug]
            assert account.last is not None and account.snn is not None
            assert account.last.total < account.snn.total
            assert sum(row.snn.total for row in account.rows) == pytest.approx(account.snn.total)


def test_a_large_batch_needs_every_weight(tally: SpikeTally) -> None:
    many = accounts(tally, replace(ROUND, batch=1000))["neuron_major_fp32"]
    snn, ann = next((row.snn, row.ann) for row in many.rows if row.name == "fc")
    assert snn.weights - 48 == pytest.approx(ann.weights - 64, rel=1e-9)
    one = accounts(tally, replace(ROUND, batch=1))["neuron_major_fp32"]
    snn, ann = next((row.snn, row.ann) for row in one.rows if row.name == "fc")
    assert (snn.weights - 48) / (ann.weights - 64) == pytest.approx(48 / 64)


def test_groups_add_up(tally: SpikeTally) -> None:
    account = accounts(tally, ROUND)["time_major_fp32"]
    groups = account.grouped(lambda row: row.kind)
    assert [*groups] == ["linear", "activation", "matmul", "neurons"]
    assert account.snn is not None
    assert sum(one.snn.total for one in groups.values()) == pytest.approx(account.snn.total)


def test_older_counts_tell_equation_25_and_nothing_else(tally: SpikeTally) -> None:
    for operation in tally.operations.values():
        operation.additions = operation.fetches = operation.inputs = operation.early_sops = 0
    assert not complete(tally)
    found = accounts(tally, ROUND)
    first, *others = found.accounts
    assert first.ratio == estimate(tally).total.ratio
    assert first.last_ratio is None
    assert all(one.ratio is None and one.snn is None and one.missing for one in others)
    assert "left open" in verdict(found)
    assert found.to_markdown().count("| – | – | – | – |") == len(others)


def test_what_hardware_does_not_tell_is_left_open(tally: SpikeTally) -> None:
    found = accounts(tally, HARDWARE["paper"])
    assert found["graded_fp32"].ratio is not None
    assert found["neuron_major_fp32"].ratio is None
    assert "memory" in found["neuron_major_fp32"].missing
    assert "INT8" in found["graded_int8"].missing


def test_a_chip_is_charged_by_synaptic_operations(tally: SpikeTally) -> None:
    account = accounts(tally, HARDWARE["loihi"])["synapses"]
    # 136 + 10 + 54 digits at 23.6 pJ; 40 inputs x 4 steps, of which 50 fire.
    assert account.snn is not None and account.last is not None
    assert account.snn.total == pytest.approx(200 * 23.6 + 50 * 81 + 110 * 52)
    assert account.last.total == pytest.approx(170 * 23.6 + 50 * 81 + 110 * 52)
    assert account.ratio is None
    assert "no ANN runs there" in verdict(accounts(tally, HARDWARE["loihi"]))


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (SiteCount("mt", 16, 10, 30), 160),
        (SiteCount("oat", 16, 10, 30), 170),
        (SiteCount("oat", 16, 10, 30, bands=1), 160),
        (SiteCount("oat", 16, 10, 30, bands=3), 180),
        (SiteCount("oat", 16, 10, 30, bands=4), 180),
        (SiteCount("oat", 16, 10, 30, levels=2), 200),
        (SiteCount("oat", 16, 10, 30, levels=5), 260),
        (SiteCount("oat", 16, 10, 30, levels=16), 290),
        (SiteCount("hg:exp", 16, 10, 30), 280),
    ],
)
def test_comparisons_of_neurons(site: SiteCount, expected: int) -> None:
    assert comparisons(site) == expected


def test_the_verdict_names_winners_and_losers(tally: SpikeTally) -> None:
    tally.operations["act"].nonlinear = {}  # without which the ANN takes little
    found = accounts(tally, ROUND)
    text = verdict(found)
    for one in found.accounts:
        assert one.ratio is not None
        assert f"{one.title} ({one.ratio:.2f}" in text
    won, lost = text.split("It takes more under")
    assert all((one.title in won) == (one.ratio < 1) for one in found.accounts if one.ratio)
    assert "INT8" in lost


def test_losing_to_int8_is_said(tally: SpikeTally) -> None:
    cheap = replace(ROUND, products=constants(fp32=3.0, int8=1e-3, int32=0.1))
    tally.operations["act"].nonlinear = {}
    assert "It loses to an ANN in INT8 under every account." in verdict(accounts(tally, cheap))


def test_functions_in_fp32_beside_an_ann_in_int8_are_named(tally: SpikeTally) -> None:
    """What is left of an ANN in INT8 whose functions cost nothing is its products."""
    found = accounts(tally, ROUND)
    snn, mac = found["graded_int8"].snn, ROUND.mac(INT8)
    assert snn is not None and mac is not None
    products = sum(one.macs for one in tally.operations.values()) * mac
    assert f"would take {snn.total / products:.2f} of its energy" in verdict(found)
    for one in tally.operations.values():
        one.nonlinear = {}
    assert "functions" not in verdict(accounts(tally, ROUND))


class TestHardware:
    def test_every_constant_has_a_source(self) -> None:
        for hardware in HARDWARE.values():
            assert hardware.sources()
            assert all(hardware.sources().values())

    def test_the_paper_adds_and_multiplies_as_equation_25_does(self) -> None:
        paper = HARDWARE["paper"]
        assert paper.addition(FP32) == PAPER.ac_pj
        assert paper.mac(FP32) == pytest.approx(PAPER.mac_pj)
        assert paper.mac(BF16) is None

    def test_horowitz_has_no_bf16_and_says_what_stands_in(self) -> None:
        horowitz = HARDWARE["horowitz_45nm"]
        assert horowitz.mac(BF16) == pytest.approx(1.1 + 0.9)
        assert "stands in" in horowitz.sources()["bf16 product"]

    def test_integers_between_those_published(self) -> None:
        horowitz = HARDWARE["horowitz_45nm"]
        assert horowitz.mac(INT8) == pytest.approx(0.2 + 0.1)
        assert horowitz.mac(integers(32)) == pytest.approx(3.1 + 0.1)
        exponent = log2(3.1 / 0.2) / 2
        assert horowitz.mac(integers(16)) == pytest.approx(0.2 * 2**exponent + 0.1)

    def test_a_narrow_word_costs_its_share_of_an_access(self) -> None:
        near = HARDWARE["horowitz_45nm"].near
        assert near is not None
        assert [near.pj(bits) for bits in (64, 32, 8)] == [10.0, 5.0, 1.25]

    def test_a_description_with_other_fields(self) -> None:
        one = described({"name": "horowitz_45nm", "batch": 1, "far": None})
        assert (one.batch, one.far) == (1, None)
        assert one.near == HARDWARE["horowitz_45nm"].near
        assert one.title == HARDWARE["horowitz_45nm"].title

    def test_a_description_of_ones_own(self) -> None:
        fields = {
            "name": "mine",
            "additions": {"fp32": {"pj": 1.0, "source": "measured"}},
            "near": {"title": "SRAM", "access": {"pj": 4.0, "source": "measured"}, "bits": 32},
        }
        mine = described(fields)
        assert (mine.title, mine.addition(FP32)) == ("mine", 1.0)
        assert mine.near is not None and mine.near.pj(16) == 2.0

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"name": "tpu"}, "no hardware is called 'tpu'"),
            ({"name": "horowitz_45nm", "volts": 1}, "no field 'volts'"),
            ({"name": "horowitz_45nm", "batch": 0}, "batch of horowitz_45nm must be 1 or more"),
            ({"name": "mine", "additions": {"fp32": {"pj": 1.0}}}, "not a hardware description"),
            ({"name": "mine", "additions": {"fp32": {"pj": -1.0, "source": "x"}}}, "above 0 pJ"),
            ({"name": "mine", "near": {"bits": 3}}, "not a hardware description"),
        ],
    )
    def test_a_wrong_description_is_refused(self, fields: dict[str, object], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            described(fields)


def test_arguments_of_another_kind_are_refused(tally: SpikeTally) -> None:
    with pytest.raises(ValueError, match="hardware must be a Hardware"):
        accounts(tally, "loihi")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tally must be a SpikeTally"):
        accounts(None)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no account 'int8'"):
        accounts(tally)["int8"]
