"""The tables of losslessness, spikes, energy and fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from las.fitting.fit import fit
from las.fitting.functions import FUNCTIONS
from las.reporting.results import CellResult, Results, load_results
from las.reporting.summary import summarise
from las.reporting.table import Number, Table, text
from las.reporting.tables.all_scores import all_scores
from las.reporting.tables.anytime import anytime
from las.reporting.tables.energy import energy_by_kind, energy_by_layer
from las.reporting.tables.functions import FittedFunction, fitted_functions
from las.reporting.tables.losslessness_answers import losslessness_of_answers
from las.reporting.tables.losslessness_similarity import losslessness_of_similarity
from las.reporting.tables.losslessness_text import losslessness_of_text
from las.reporting.tables.spikes import spikes_by_kind

Grid = tuple[Path, list[dict[str, str]]]


@pytest.fixture
def results(grid: Grid) -> Results:
    return load_results(*grid)


@pytest.fixture
def cell(results: Results) -> CellResult:
    return results.one_per_model()[0]


def column(table: Table, name: str) -> list[str]:
    place = table.columns.index(name)
    return [text(row.cells[place]) for row in table.rows]


def test_every_language_model_cell_has_its_loss(results: Results) -> None:
    table = losslessness_of_text(results)
    assert column(table, "T") == ["16", "16", "12", "10", "8"]
    assert column(table, "H") == ["5", "1", "5", "5", "5"]
    # At T=16, H=5 the made-up KL is 4^-4 x 1e-4 / 5 = 7.81e-08.
    assert column(table, "KL(ANN || SNN), nats")[0] == "7.81e-08"
    # At T=8 it is 4^4 x 1e-4 / 5 = 5.12e-03, so the made-up perplexity rises by 5.12 %.
    assert column(table, "Change, %")[-1] == "+5.120 ± 0.010"


def test_every_encoder_cell_has_its_loss(results: Results) -> None:
    table = losslessness_of_similarity(results)
    assert len(table.rows) == 11
    # At T=8 every made-up correlation is 30 points lower.
    assert column(table, "WordSim-353, change")[-1] == "-30.000"
    assert column(table, "Error of hidden state")[-1] == "3.9e-03"


def test_every_answer_has_its_loss(tuned: Grid) -> None:
    table = losslessness_of_answers(load_results(*tuned))
    assert column(table, "Metric") == ["accuracy", "F1", "accuracy"]
    assert column(table, "Change") == ["+1.00", "+1.00", "0.00"]
    assert column(table, "Same answer, %") == ["97.00", "97.00", "100.00"]
    assert column(table, "Most frequent answer, %") == ["60.00", "60.00", "–"]


def test_an_analog_tower_is_a_row_of_its_own(seeing: Grid) -> None:
    results = load_results(*seeing)
    table = losslessness_of_answers(results)
    assert column(table, "Model") == ["Seeing", "Seeing, analog vision"]
    assert column(table, "Without looking, %") == ["70.00", "70.00"]
    (summary,) = summarise(results)
    assert column(summary.lost, "Measure") == ["easy-VQA, accuracy"]
    assert results.sweep("time_steps") == results.sweep("levels") == []


def test_only_answers_are_among_the_answers(results: Results) -> None:
    table = losslessness_of_answers(results)
    assert column(table, "Task") == ["PIQA", "ARC-Easy", "RTE"]


def test_every_score_is_listed(results: Results) -> None:
    # 3 zero-shot tasks, 5 text cells with 2 metrics, 16 time steps, 11 encoder cells with 3 sets
    # and 2 metrics.
    table = all_scores(results)
    assert len(table.rows) == 3 + 5 * 2 + 16 + 11 * 6
    assert "perplexity after 7 steps" in column(table, "Metric")


def test_every_time_step_has_its_loss_and_its_share_of_the_energy(results: Results) -> None:
    table = anytime(results)
    assert column(table, "t") == [str(t) for t in range(1, 17)]
    assert column(table, "KL(ANN || SNN), nats")[-2:] == ["4.00e-09", "1.00e-09"]
    whole = next(cell.energy for cell in results.cells if cell.evaluation == "anytime")
    assert whole is not None and whole.total.ratio is not None
    energy = column(table, "E_snn/E_ann")
    assert energy[-1] == f"{whole.total.ratio:.3f}"
    assert energy[7] == f"{whole.total.ratio / 2:.3f}"


def test_a_model_stopped_early_is_no_score_of_the_summary(results: Results) -> None:
    for summary in summarise(results):
        assert not any("after" in measure for measure in column(summary.lost, "Measure"))


def test_energy_by_layer_adds_up(cell: CellResult) -> None:
    assert cell.energy is not None
    table = energy_by_layer(cell, cell.energy)
    assert column(table, "Block") == [
        "block 0",
        "block 1",
        "block 2",
        "outside the blocks",
        "total",
    ]
    energies = [row.cells[4] for row in table.rows]
    values = [energy.value for energy in energies if isinstance(energy, Number)]
    assert sum(values[:-1]) == pytest.approx(values[-1])
    assert values[-1] == pytest.approx(cell.energy.total.snn_pj / 512 / 1e6)


def test_energy_by_kind_adds_up(cell: CellResult) -> None:
    assert cell.energy is not None
    table = energy_by_kind(cell, cell.energy)
    assert column(table, "Kind of operation") == ["linear", "softmax", "total"]


def test_spikes_by_kind_of_neuron(cell: CellResult) -> None:
    assert cell.spikes is not None
    table = spikes_by_kind(cell, cell.spikes)
    assert column(table, "Neuron") == ["hg:exp", "oat"]
    # oat: 3 sites of 10,000 values and 60,000 / 6 spikes each: 1 spike per value, 1/16 of the time.
    assert column(table, "Spikes per value")[1] == "1.00"
    assert column(table, "Firing rate, %")[1] == "6.2"
    assert column(table, "Out of range")[1] == "6"


def test_fits_are_listed_with_their_errors() -> None:
    result = fit(FUNCTIONS["exp"], -20.0, 0.0, 16)
    table = fitted_functions([FittedFunction("Tiny", "exp", result)])
    assert column(table, "N") == [str(result.neuron.size)]
    assert column(table, "Largest error") == [f"{result.max_error:.1e}"]
    assert column(table, "Within budget") == ["yes"]
