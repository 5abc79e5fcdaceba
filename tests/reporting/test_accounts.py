"""Tables, figures and the paragraph of all accounts."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path

import pytest

from las.energy import HARDWARE, accounts, estimate, verdict
from las.neurons.tally import OperationCount, SiteCount, SpikeTally
from las.reporting.accounted import (
    HEADLINE,
    Accounted,
    accounted,
    cheapest_with_a_budget,
    one_per_model,
)
from las.reporting.cells import by_layer_and_account, write_cells
from las.reporting.figures.accounts import accounts_pictures, draw_kinds, draw_layers
from las.reporting.results import CellResult, Results, load_results
from las.reporting.summary import summarise
from las.reporting.table import MISSING, Table, text
from las.reporting.tables.accounts import (
    accounts_by_kind,
    accounts_by_layer,
    accounts_by_part,
    accounts_of_cells,
    accounts_on_hardware,
    latency_of_cells,
)

Grid = tuple[Path, list[dict[str, str]]]
HOROWITZ = HARDWARE["horowitz_45nm"]


def counted() -> SpikeTally:
    """Two tokens through one layer of each of two blocks, and a head."""
    tally = SpikeTally(tokens=2)
    for block in ("model.layers.0.up", "model.layers.1.up", "lm_head"):
        tally.sites[f"{block}.site"] = SiteCount("oat", 12, 16, 20, digits=34, active=12, levels=5)
        tally.operations[block] = OperationCount(
            *(block, "linear"), sops=80, macs=64, additions=136, fetches=48, inputs=16, outputs=8,
            weights=32,
        )  # fmt: skip
    return tally


def cell(
    tally: SpikeTally, time_steps: int = 12, budget: float | None = None, levels: int = 5
) -> CellResult:
    return CellResult(
        *("tiny", f"t{time_steps}h{levels}", "text", "Tiny", "Tiny", ()),
        time_steps=time_steps,
        levels=levels,
        rounding="nearest",
        spikes=tally,
        budget=budget,
        energy=None if budget is None else estimate(tally),
    )


@pytest.fixture
def new() -> Accounted:
    """A cell of which everything was counted."""
    (one,) = accounted(Results((cell(counted()),)), HOROWITZ)
    return one


@pytest.fixture
def old(grid: Grid) -> list[Accounted]:
    """Cells that were counted before there were other accounts."""
    results = load_results(*grid)
    for one in results.cells:
        assert one.spikes is not None
        for operation in one.spikes.operations.values():
            operation.additions = operation.fetches = 0
    return accounted(results, HOROWITZ)


def column(table: Table, name: str) -> list[str]:
    place = table.columns.index(name)
    return [text(row.cells[place]) for row in table.rows]


def test_every_account_of_a_cell_is_shown(new: Accounted) -> None:
    table = accounts_of_cells([new], HOROWITZ, last=False)
    ratios = [text(one) for one in table.rows[0].cells[5:-1]]
    expected = [one.ratio for one in new.accounts.accounts]
    assert ratios == [f"{ratio:.3f}" for ratio in expected]
    assert column(table, "4 T-bit INT, graded spikes") == [
        f"{new.accounts['graded_int12'].ratio:.3f}"
    ]
    # No product of two activations: what arrives last is all there is.
    assert accounts_of_cells([new], HOROWITZ, last=True).rows == table.rows


def test_the_share_of_functions_that_an_ann_in_int8_computes_in_fp32(new: Accounted) -> None:
    """Products and sums of 192 numbers at 0.3 pJ, and 10 sigmoids of 22 FLOPs at 4.6 pJ."""
    table = accounts_of_cells([new], HOROWITZ, last=False)
    assert column(table, table.columns[-1]) == ["0"]
    tally = counted()
    tally.operations["lm_head"].nonlinear = {"sigmoid": 10}
    (one,) = accounted(Results((cell(tally),)), HOROWITZ)
    functions = 10 * 22 * 4.6
    share = functions / (3 * 64 * 0.3 + functions)
    assert one.accounts.share_of_functions("graded_int8") == pytest.approx(share)
    table = accounts_of_cells([one], HOROWITZ, last=False)
    assert column(table, table.columns[-1]) == [f"{100 * share:.0f}"]


@pytest.mark.parametrize("time_steps", [12, 8])
def test_with_a_budget_there_is_no_account_in_integers_of_t_bits(time_steps: int) -> None:
    tally = counted()
    for site in tally.sites.values():
        site.time_steps = time_steps
    cells = cell(tally, time_steps), cell(tally, time_steps, budget=1e-3)
    plain, frugal = accounted(Results(cells), HOROWITZ)
    of_t_bits = {one.slug for one in plain.accounts.accounts if one.slug.endswith("int12")}
    assert len(of_t_bits) == (3 if time_steps == 12 else 0)  # INT8 is one account, not two
    kept = [one.slug for one in plain.accounts.accounts if one.slug not in of_t_bits]
    assert [one.slug for one in frugal.accounts.accounts] == kept
    assert "INT12" not in verdict(frugal.accounts)
    assert "INT12" not in accounts_on_hardware([frugal]).to_markdown()
    for last in (False, True):
        table = accounts_of_cells([plain, frugal], HOROWITZ, last=last)
        for name in table.columns[5:-1]:
            first, second = column(table, name)
            assert first != MISSING
            assert second == (MISSING if "T-bit" in name else first)
        assert any("integers of T bits" in note for note in table.notes)
    assert not any(
        "integers of T bits" in note
        for note in accounts_of_cells([plain], HOROWITZ, last=False).notes
    )


def test_what_was_not_counted_is_a_dash(old: list[Accounted]) -> None:
    table = accounts_of_cells(old, HOROWITZ, last=False)
    assert all(ratio != MISSING for ratio in column(table, "1 Eq. 25"))
    for name in table.columns[6:-1]:
        assert set(column(table, name)) == {MISSING}
    last = accounts_of_cells(old, HOROWITZ, last=True)
    assert set(column(last, "1 Eq. 25")) == {MISSING}
    latency = latency_of_cells(old)
    assert set(column(latency, "Effective MACs")) == {MISSING}
    assert set(column(latency, "Weights of the layers, MB")) == {MISSING}
    assert not accounts_on_hardware(old).rows


def test_a_cell_that_was_stopped_early_has_no_accounts(grid: Grid, old: list[Accounted]) -> None:
    assert "anytime" in {one.evaluation for one in load_results(*grid).cells}
    assert "anytime" not in {one.cell.evaluation for one in old}


@pytest.mark.parametrize("table", [accounts_by_kind, accounts_by_layer, accounts_by_part])
def test_rows_add_up_to_the_total(new: Accounted, table: object) -> None:
    shown: Table = table(new)  # type: ignore[operator]
    *rows, total = shown.rows
    assert total.cells[0] == "total"
    for place, name in enumerate(shown.columns):
        if not place or "ratio" in name:
            continue
        numbers = [row.cells[place].value for row in rows if row.cells[place] is not None]  # type: ignore[union-attr]
        assert sum(numbers) == pytest.approx(total.cells[place].value)  # type: ignore[union-attr]
    of_each = 2 if table is accounts_by_part else 3
    assert len(shown.columns) == 1 + of_each * len(HEADLINE)


def test_energy_by_layer_and_kind(new: Accounted) -> None:
    layers = accounts_by_layer(new)
    assert [row.cells[0] for row in layers.rows] == [
        *("block 0", "block 1", "outside the blocks", "total")
    ]
    # 80 SOPs at 0.9 pJ for 2 tokens, in millionths of a microjoule.
    place = layers.columns.index("Eq. 25: E_snn")
    assert layers.rows[0].cells[place].value == pytest.approx(36e-6)  # type: ignore[union-attr]
    kinds = accounts_by_kind(new)
    assert [row.cells[0] for row in kinds.rows] == ["linear", "neurons", "total"]
    assert column(kinds, "Eq. 25: E_snn")[1] == MISSING  # which it does not charge


def test_energy_by_what_it_is_spent_on(new: Accounted) -> None:
    parts = accounts_by_part(new)
    moved = dict(zip(column(parts, "Spent on"), parts.rows, strict=True))
    graded = parts.columns.index("FP32, graded spikes: E_snn")
    assert moved["weights"].cells[graded].value == 0.0  # type: ignore[union-attr]
    memory = parts.columns.index("FP32, memory, neuron-major: E_snn")
    assert moved["weights"].cells[memory].value > 0.0  # type: ignore[union-attr]


def test_in_every_block_ratios_are_of_both_energies(new: Accounted) -> None:
    shown = accounts_by_layer(new)
    for row in shown.rows:
        by_name = dict(zip(shown.columns, row.cells, strict=True))
        for account in new.headline:
            snn, ann, ratio = (
                by_name[f"{account.title}: {what}"].value  # type: ignore[union-attr]
                for what in ("E_snn", "E_ann", "ratio")
            )
            assert ratio == pytest.approx(snn / ann)
    assert by_name["Eq. 25: ratio"].value == new.accounts["paper"].ratio  # type: ignore[union-attr]


def test_every_spiking_cell_has_a_verdict_and_all_layers(tmp_path: Path) -> None:
    """On a page of its model, ablations too; the file beside it adds up, account by account."""
    cells = cell(counted(), 16), cell(counted(), 12, budget=1e-3)
    taken = replace(cell(counted(), 12), neuron="t12h5-one-band", ablation="one band (no OAT)")
    shown = accounted(Results(cells, ablations=(taken,)), HOROWITZ)
    assert write_cells(shown, HOROWITZ, tmp_path) == {"Tiny": "accounts/tiny.html"}
    page = html.unescape((tmp_path / "accounts" / "tiny.html").read_text())
    sections = page.split("<details")[1:]
    assert len(sections) == len(shown) == 3
    for one, section in zip(shown, sections, strict=True):
        assert one.cell.setting in section
        assert verdict(one.accounts) in section
        assert all(f">{name}</th>" in section for name in ("block 0", "block 1", "linear"))
    assert "src=" not in page and "http" not in page
    table = by_layer_and_account(shown)
    for account in shown[2].accounts.accounts:
        rows = [dict(zip(table.columns, row.cells, strict=True)) for row in table.rows]
        of_one = [
            row
            for row in rows
            if row["Cell"] == "t12h5-one-band" and str(row["Account"]).endswith(account.title)
        ]
        *blocks, total = [row["E_snn"].value for row in of_one]  # type: ignore[union-attr]
        assert len(blocks) == 3 and sum(blocks) == pytest.approx(total)


def test_all_hardware_side_by_side(new: Accounted) -> None:
    table = accounts_on_hardware([new])
    assert set(column(table, "Hardware")) == {one.title for one in HARDWARE.values()}
    chips = [row for row in table.rows if "synaptic" in str(row.cells[2])]
    assert len(chips) == 4
    assert all(row.cells[4] is None and row.cells[5] is None for row in chips)


def test_budgets_with_one_h_are_told_apart() -> None:
    cells = [cell(counted(), budget=budget) for budget in (1e-4, 3e-3)]
    cells.append(replace(cell(counted()), threshold_rule="paper"))
    shown = accounted(Results(tuple(cells)), HOROWITZ)
    told = ["frugal 0.0001", "frugal 0.003", "thresholds by the paper's rule"]
    for table in (accounts_of_cells(shown, HOROWITZ, last=False), latency_of_cells(shown)):
        assert column(table, "Neurons") == told
        assert column(table, "T") == ["≤ 12", "≤ 12", "12"]
    assert [one.cell.setting for one in shown] == [
        *("frugal 0.0001, T≤12, H=5", "frugal 0.003, T≤12, H=5"),
        "thresholds by the paper's rule, T=12, H=5",
    ]


def test_latency_and_neurobench(new: Accounted) -> None:
    table = latency_of_cells([new])
    assert column(table, "Stages") == ["3"]
    assert column(table, "Time steps") == ["36"]
    assert column(table, "Activation sparsity, %") == [f"{100 * (1 - 60 / 576):.1f}"]
    assert column(table, "Dense, per token") == ["1,152"]  # 12 x 3 x 64 / 2
    assert column(table, "Effective MACs") == ["120"]
    assert column(table, "Effective ACs") == ["0"]


def test_only_the_cell_that_is_drawn_is_shown_in_detail() -> None:
    results = Results((cell(counted(), 12), cell(counted(), 16)))
    shown = one_per_model(accounted(results, HOROWITZ), results)
    assert [one.cell.time_steps for one in shown] == [16]


def test_the_figures_are_drawn(new: Accounted, old: list[Accounted], tmp_path: Path) -> None:
    pictures = accounts_pictures([new, old[0]], tmp_path)
    assert [picture.path.name for picture in pictures] == [
        *("accounts_kind_tiny.png", "accounts_layer_tiny.png"),
        *("accounts_kind_tiny-lm.png", "accounts_layer_tiny-lm.png"),
    ]
    assert all(picture.path.read_bytes().startswith(b"\x89PNG") for picture in pictures)


def test_two_drawings_are_equal_to_the_byte(tmp_path: Path) -> None:
    bars = {"Eq. 25": ({"linear": 1.0, "neurons": 0.5}, {"linear": 2.0})}
    lines = {"Eq. 25": ([1.0, 2.0, 5.0], [2.0, 2.0, 6.0]), "a chip": ([3.0, 3.0, 9.0], [0.0] * 3)}
    blocks = ["block 0", "block 1", "outside the blocks"]
    for name in ("one", "two"):
        draw_kinds(tmp_path / f"kinds_{name}.png", bars, "kinds")
        draw_layers(tmp_path / f"layers_{name}.png", lines, blocks, "layers")
    for what in ("kinds", "layers"):
        first, second = (tmp_path / f"{what}_{name}.png" for name in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()


def test_the_summary_ends_with_the_verdict(new: Accounted) -> None:
    results = Results((new.cell,))
    (summary,) = summarise(results, {"tiny": verdict(new.accounts)})
    assert summary.cost == (verdict(accounts(counted(), HOROWITZ)),)


def test_the_cheapest_neurons_with_a_budget_have_a_verdict() -> None:
    dear, cheap = counted(), counted()
    for operation in cheap.operations.values():
        operation.sops //= 2
    cells = (
        cell(counted(), 16),
        cell(dear, 16, budget=1e-4, levels=1),
        cell(cheap, 16, budget=1e-3, levels=16),
    )
    results = Results(cells)
    (found,) = cheapest_with_a_budget(accounted(results, HOROWITZ)).values()
    assert found.cell is cells[2]
    (summary,) = summarise(results, {"tiny": "Plain."}, {"tiny": "Frugal."})
    plain, *of_frugal, last = summary.cost
    assert (plain, last) == ("Plain.", "Frugal.")
    assert len(of_frugal) == 2  # a sentence for each
    assert cheapest_with_a_budget(accounted(Results(cells[:1]), HOROWITZ)) == {}
