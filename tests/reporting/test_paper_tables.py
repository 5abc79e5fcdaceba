"""The paper's tables with the computed rows below the cited ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from las.evaluation.score import Score
from las.reporting.latex import to_latex
from las.reporting.paper.glance import glance_at_scores
from las.reporting.paper.table_1 import table_1
from las.reporting.paper.table_2 import table_2
from las.reporting.paper.table_3 import table_3
from las.reporting.paper.table_4 import table_4
from las.reporting.paper.table_5 import table_5
from las.reporting.paper.table_6 import table_6
from las.reporting.report import write_report
from las.reporting.results import Results, load_results
from las.reporting.table import Cell, Row, Table, text
from las.reporting.tables.all_scores import all_scores
from tests.reporting.conftest import (
    similarity_scores,
    text_scores,
    write_baseline,
    write_cell,
    write_original,
    zero_shot_scores,
)

Grid = tuple[Path, list[dict[str, str]]]


@pytest.fixture
def results(grid: Grid) -> Results:
    return load_results(*grid)


def computed(table: Table) -> list[dict[str, Cell]]:
    rows = [row for row in table.rows if row.source == "computed"]
    return [dict(zip(table.columns, row.cells, strict=True)) for row in rows]


def test_computed_rows_stand_below_the_cited_ones(results: Results) -> None:
    table = table_1(results)
    sources = [row.source for row in table.rows]
    assert sources == ["cited"] * 16 + ["computed"] * 2
    ann, snn = computed(table)
    assert (ann["S"], ann["T"]) == ("✗", "N/A")
    assert (snn["S"], snn["T"]) == ("✓", "16")
    assert snn["Model"] == "LAS (Tiny-LM <b>)"


def test_accuracies_are_shown_in_per_cent_with_their_errors(results: Results) -> None:
    ann, _ = computed(table_1(results))
    assert text(ann["PIQA"]) == "68.30 ± 1.00"
    assert text(ann["ARC"]) == "55.00 ± 1.00"


def test_a_task_that_was_not_evaluated_is_a_dash(results: Results) -> None:
    ann, snn = computed(table_1(results))
    assert text(ann["WSC"]) == text(snn["WSC"]) == "–"


def test_a_limit_on_the_items_is_said(results: Results) -> None:
    assert any("PIQA: 60 of 1,000" in note for note in table_1(results).notes)


def test_own_text_is_no_column_of_the_paper(results: Results) -> None:
    table = table_2(results)
    ann, snn = computed(table)
    assert text(ann["En8"]) == text(snn["WT"]) == "–"
    assert text(ann["held-out Wikipedia, perplexity"]).startswith("18.200")
    assert all(row.cells[5] is None for row in table.rows if row.source == "cited")


def test_similarity_is_never_put_into_glue_columns(results: Results) -> None:
    for table in (table_3(results), table_6(results)):
        for row in computed(table):
            assert all(row[name] is None for name in ("QQP", "SST-2", "RTE", "STS-B"))
            assert row["WordSim-353, Spearman"] is not None
    assert "no number of the paper" in " ".join(table_3(results).notes)


def test_table_3_shows_the_cell_nearest_to_the_paper(results: Results) -> None:
    assert [row["T"] for row in computed(table_3(results))] == ["N/A", "16"]


def test_table_5_has_one_column_for_every_level(results: Results) -> None:
    table = table_5(results)
    assert table.columns[3:] == ("H=1", "H=3", "H=5", "H=7", "H=10", "H=12", "H=15")
    energy = next(row for row in computed(table) if row["Metric"] == "E_snn/E_ann, rated pairs")
    values = [float(text(energy[f"H={h}"])) for h in (1, 3, 5, 7, 10, 12, 15)]
    assert values == sorted(values, reverse=True)
    language = next(row for row in computed(table) if row["Metric"] == "E_snn/E_ann, held-out text")
    assert text(language["H=3"]) == "–"
    assert text(language["H=1"]) != "–"


def test_table_6_sweeps_the_time_steps(results: Results) -> None:
    rows = computed(table_6(results))
    assert [row["T"] for row in rows] == ["N/A", "8", "10", "11", "13", "16"]


@pytest.mark.parametrize(
    ("build", "cited"),
    [
        (table_1, 16),
        (table_2, 9),
        (table_3, 14),
        (table_4, 4),
        (table_5, 2),
        (table_6, 5),
    ],
)
def test_without_results_only_the_paper_speaks(build: object, cited: int) -> None:
    table = build(Results(()))  # type: ignore[operator]
    assert [row.source for row in table.rows] == ["cited"] * cited
    assert isinstance(table.rows[0], Row)


def with_glue(grid: Grid) -> Results:
    """The grid, two fine-tuned checkpoints that share a row of Table 3, one of them at two T."""
    results, cells = grid
    error = {"ann_stderr": 0.01, "snn_stderr": 0.01, "items": 872, "items_available": 872}
    sst2 = Score("glue_sst2", "acc", True, 0.92, 0.91, **error)  # type: ignore[arg-type]
    mrpc = [replace(sst2, task="glue_mrpc", metric=m, ann=0.8, snn=0.75) for m in ("acc", "f1")]
    cells = [
        *cells,
        *[write_cell(results, "bert-sst2", "glue", t, 5, [sst2], row="BERT") for t in (16, 10)],
        write_cell(results, "bert-mrpc", "glue", 16, 5, mrpc, row="BERT"),
    ]
    return load_results(results, cells)


def test_checkpoints_of_one_model_share_its_row(grid: Grid) -> None:
    _, _, ann, snn = computed(table_3(with_glue(grid)))
    assert (ann["Model"], snn["Model"]) == ("BERT", "LAS (BERT)")
    assert text(snn["SST-2"]) == "91.00 ± 1.00"
    assert text(ann["MRPC"]) == "80.00 ± 1.00/80.00 ± 1.00"
    assert text(ann["QQP"]) == "–"


def test_table_6_sweeps_fine_tuned_checkpoints_too(grid: Grid) -> None:
    rows = [r for r in computed(table_6(with_glue(grid))) if "BERT" in str(r["Model"])]
    assert [row["T"] for row in rows] == ["N/A", "10", "16"]
    assert all(text(row["SST-2"]) != "–" for row in rows)


def test_table_4_has_rows_for_a_spiking_tower_and_an_analog_one(seeing: Grid) -> None:
    rows = computed(table_4(load_results(*seeing)))
    assert [row["Model"] for row in rows] == [
        "Seeing",
        "LAS (Seeing)",
        "Seeing, analog vision",
        "LAS (Seeing, analog vision)",
    ]
    assert text(rows[1]["easy-VQA, accuracy"]) == "97.00 ± 1.00"


def test_fine_tuned_accuracy_is_never_put_into_zero_shot_columns(grid: Grid) -> None:
    results = with_glue(grid)
    before = table_1(load_results(*grid))
    assert table_1(results) == before


@pytest.mark.usefixtures("undrawn")
def test_an_original_that_was_not_converted_has_one_row(grid: Grid) -> None:
    results, cells = grid
    scores = [replace(s, snn=None, snn_stderr=None, kl=None) for s in zero_shot_scores()]
    cells = [*cells, write_original(results, "big-lm", "zero_shot", scores)]
    loaded = load_results(results, cells)
    rows = computed(table_1(loaded))
    assert [(row["Model"], row["S"], row["T"]) for row in rows] == [
        ("Big-LM", "✗", "N/A"),
        ("Tiny-LM <b>", "✗", "N/A"),
        ("LAS (Tiny-LM <b>)", "✓", "16"),
    ]
    assert text(rows[0]["PIQA"]) == "68.30 ± 1.00"
    (row,) = [r for r in all_scores(loaded).rows if r.cells[:2] == ("Big-LM", "PIQA")]
    assert [text(cell) for cell in row.cells[3:9]] == ["–", "–", "–", "68.30 ± 1.00", "–", "–"]
    page = write_report(results, cells, results / "reports").index.read_text()
    assert "Big-LM" in page


def test_an_original_that_was_scored_alone_stands_beside_a_converted_one(grid: Grid) -> None:
    """It may have been scored on other items: the spiking model is compared with its own."""
    results, cells = grid
    (first, *_) = zero_shot_scores()
    alone = replace(first, ann=0.9, snn=None, snn_stderr=None, items=1000, kl=None)
    cells = [*cells, write_original(results, "tiny-lm", "zero_shot_full", [alone])]
    table = table_1(load_results(results, cells))
    rows = computed(table)
    assert [(row["S"], text(row["PIQA"]).split()[0]) for row in rows] == [
        *(("✗", "90.00"), ("✗", "68.30"), ("✓", "68.30"))
    ]
    (line,) = [row.cells for row in glance_at_scores(table).rows if row.cells[0] == "PIQA"]
    assert text(line[5]) == "68.30"


def test_suites_at_another_t_have_a_row_of_their_own(grid: Grid) -> None:
    results, cells = grid
    score = Score("wikitext103", "perplexity", False, 20.0, 21.0, 0.1, 0.1, 100, 100, 0.9, 1e-3)
    cells = [*cells, write_cell(results, "tiny-lm", "wikitext103", 8, 5, [score])]
    ann, sixteen, eight = computed(table_2(load_results(results, cells)))
    assert [row["T"] for row in (ann, sixteen, eight)] == ["N/A", "16", "8"]
    assert [text(row["WT"]) for row in (ann, sixteen, eight)] == [
        *("20.000 ± 0.100", "–", "21.000 ± 0.100")
    ]


def test_a_published_conversion_alone_has_its_original_above_it(grid: Grid) -> None:
    results, _ = grid
    made = write_baseline(results, "tiny-encoder", "similarity", "srp", 8, similarity_scores(8))
    ann, snn = computed(table_3(load_results(results, [made])))
    assert (ann["S"], snn["S"]) == ("✗", "✓")
    assert text(ann["WordSim-353, Spearman"]) == "61.20 ± 3.00"


def sts_b(loss: float) -> list[Score]:
    error = {"ann_stderr": 1.0, "snn_stderr": 1.0, "items": 1500, "items_available": 1500}
    return [
        Score("glue_stsb", metric, True, 88.7, 88.7 - loss, **error)  # type: ignore[arg-type]
        for metric in ("pearson", "spearman")
    ]


def test_table_5_has_the_papers_pearson_and_ours_counts_first(tmp_path: Path) -> None:
    """Of two cells with one H the first one counts; a margin of its own names no option here."""
    cells = [
        write_cell(tmp_path, "bert-sst2", "glue", 16, h, sts_b(h / 10), row="BERT") for h in (1, 5)
    ]
    cells.append(write_cell(tmp_path, "bert-sst2", "glue", 16, 5, sts_b(9), name="-wide", margin=4))
    pearson, *_ = computed(table_5(load_results(tmp_path, cells)))
    assert pearson["Metric"] == "STS-B, Pearson"
    assert [text(pearson[f"H={h}"]) for h in (1, 3, 5)] == ["88.60", "–", "88.20"]


def test_table_6_has_thresholds_by_the_least_error_alone(tmp_path: Path) -> None:
    released = {"threshold_rule": "released", "rounding": "floor", "name": "-released-constants"}
    cells = [
        write_cell(tmp_path, "bert-sst2", "glue", t, 5, sts_b(loss), row="BERT", **options)
        for options, loss in (({}, 0.1), (released, 50.0))
        for t in (16, 10)
    ]
    rows = computed(table_6(load_results(tmp_path, cells)))
    shown = [(row["T"], text(row["STS-B"]).split()[0]) for row in rows]
    assert shown == [("N/A", "88.70"), ("10", "88.60"), ("16", "88.60")]


def test_published_conversions_have_rows_below_the_model_that_they_converted(grid: Grid) -> None:
    results, cells = grid
    scores = similarity_scores(8)
    for method, steps in (("srp", 16), ("srp", 8), ("ecmt", 8)):
        cells = [
            *cells,
            write_baseline(results, "tiny-encoder", "similarity", method, steps, scores),
        ]
    tuned = write_baseline(results, "tiny-encoder", "similarity", "srp", 16, scores, tuning_steps=9)
    rows = computed(table_3(load_results(results, [*cells, tuned])))
    assert [(row["Model"], row["S"], row["T"]) for row in rows] == [
        ("Tiny-Encoder", "✗", "N/A"),
        ("LAS (Tiny-Encoder)", "✓", "16"),
        ("srp, computed here (Tiny-Encoder)", "✓", "16"),
        ("srp, computed here (Tiny-Encoder)", "✓", "8"),
        ("ecmt, computed here (Tiny-Encoder)", "✓", "8"),
        ("srp, fine-tuned, computed here (Tiny-Encoder)", "✓", "16"),
    ]
    assert rows[2]["Lee documents, Spearman"] != rows[1]["Lee documents, Spearman"]


def test_how_a_published_conversion_was_computed_is_told(grid: Grid) -> None:
    results, cells = grid
    of_text = write_baseline(results, "tiny-lm", "text", "qcfs", 8, text_scores(8, 5))
    of_pairs = write_baseline(
        results, "tiny-encoder", "similarity", "ecmt", 4, similarity_scores(8)
    )
    loaded = load_results(results, [*cells, of_text, of_pairs])
    items = "WordSim-353: 353; SimLex-999: 353; Lee documents: 353"
    for build, name, steps, told in (
        (
            table_2,
            "qcfs, computed here (Tiny-LM <b>)",
            "8",
            "held-out Wikipedia XML: 4,088 of 90,000",
        ),
        (table_3, "ecmt, computed here (Tiny-Encoder)", "4", items),
    ):
        table = build(loaded)
        columns, rows = table.records()
        (row,) = (dict(zip(columns, row, strict=True)) for row in rows if row[0] == name)
        assert (row["source: T"], row["source: H"]) == (steps, None)
        assert told in str(row["source: items"])
        assert any(name.endswith(" stderr") and row[name] is not None for name in columns)
        assert table.origins is not None
        (origin,) = (r.cells for r in table.origins.rows if str(r.cells[0]).startswith(name))
        assert origin[table.origins.columns.index("T")] == steps
        assert f"T {steps}, Items" in to_latex(table)


def stsb(grid: Grid) -> Results:
    """A sweep of H on STS-B, where Pearson and Spearman are told apart by their values."""
    results, cells = grid
    error = {"ann_stderr": 0.1, "snn_stderr": 0.1, "items": 1500, "items_available": 1500}
    for levels in (1, 5, 15):
        scores = [
            Score("glue_stsb", metric, True, ann, ann - 1 / levels, **error)  # type: ignore[arg-type]
            for metric, ann in (("spearman", 80.0), ("pearson", 90.0))
        ]
        cell = write_cell(results, "bert-mrpc", "glue", 16, levels, scores, row="BERT")
        cells = [*cells, cell]
    return load_results(results, cells)


def test_table_5_has_pearson_where_the_task_is_the_papers(grid: Grid) -> None:
    rows = [row for row in computed(table_5(stsb(grid))) if row["Model"] == "BERT, MRPC"]
    assert [row["Metric"] for row in rows] == ["STS-B, Pearson", "E_snn/E_ann, GLUE"]
    assert [text(rows[0][name]) for name in ("ANN", "H=1", "H=5", "H=15")] == [
        *("90.00 ± 0.10", "89.00", "89.80", "89.93")
    ]
    others = {str(row["Metric"]) for row in computed(table_5(load_results(*grid)))}
    assert "Lee documents, Spearman" in others
    assert not any(name.endswith("Pearson") for name in others)
