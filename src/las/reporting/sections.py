"""Which tables and figures the page shows, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from las.energy import Hardware
from las.reporting.accounted import Accounted, one_per_model
from las.reporting.figures.ablations import ablations_pictures
from las.reporting.figures.accounts import accounts_pictures
from las.reporting.figures.anytime import anytime_pictures
from las.reporting.figures.baselines import baselines_pictures
from las.reporting.figures.fits import fit_picture
from las.reporting.figures.frontier import frontier_pictures
from las.reporting.figures.information import information_picture
from las.reporting.figures.levels import levels_pictures
from las.reporting.figures.losslessness import losslessness_pictures
from las.reporting.figures.outliers import outlier_picture
from las.reporting.figures.recorded import recorded_pictures
from las.reporting.figures.steps import steps_pictures
from las.reporting.figures.sub_neurons import sub_neurons_picture
from las.reporting.figures.swept import sweep_pictures
from las.reporting.html import Section
from las.reporting.paper.glance import glance_at_levels, glance_at_scores, glance_at_steps
from las.reporting.paper.table_1 import table_1
from las.reporting.paper.table_2 import table_2
from las.reporting.paper.table_3 import table_3
from las.reporting.paper.table_4 import table_4
from las.reporting.paper.table_5 import table_5
from las.reporting.paper.table_6 import table_6
from las.reporting.recorded import Recorded
from las.reporting.results import Results
from las.reporting.stored import Stored
from las.reporting.sub_neurons import sub_neurons
from las.reporting.swept import sweeps, swept
from las.reporting.table import Table
from las.reporting.tables.ablations import ablations
from las.reporting.tables.accounts import (
    accounts_by_kind,
    accounts_by_layer,
    accounts_by_part,
    accounts_of_cells,
    accounts_on_hardware,
    latency_of_cells,
)
from las.reporting.tables.all_scores import all_scores
from las.reporting.tables.anytime import anytime
from las.reporting.tables.baselines import baselines
from las.reporting.tables.energy import energy_by_kind, energy_by_layer
from las.reporting.tables.functions import fitted_functions
from las.reporting.tables.losslessness_answers import losslessness_of_answers
from las.reporting.tables.losslessness_similarity import losslessness_of_similarity
from las.reporting.tables.losslessness_text import losslessness_of_text
from las.reporting.tables.spikes import spikes_by_kind
from las.reporting.tables.swept import sweep_tables


def sections(
    results: Results,
    stored: Stored,
    directory: Path,
    charged: Sequence[Accounted],
    hardware: Hardware,
    recorded: Sequence[Recorded] = (),
    pages: Mapping[str, str] | None = None,
) -> list[Section]:
    """Build all tables, and draw the figures that have data.

    Arguments:
        results: the cells that were evaluated.
        stored: what calibration and fitting stored of their models.
        directory: where to write the figures.
        charged: all cells whose spikes were counted, under all accounts.
        hardware: what they were charged for.
        recorded: spikes of a passage of text.
        pages: the pages with all accounts of every cell, by the titles of their models.
    """
    detailed = one_per_model(charged, results)
    energy = [(cell, cell.energy) for cell in results.one_per_model() if cell.energy is not None]
    spikes = [(cell, cell.spikes) for cell in results.one_per_model() if cell.spikes is not None]
    return [
        Section(
            "lossless",
            "Losslessness",
            "How far the spiking models stray from their originals, for every T and H.",
            tables=[
                losslessness_of_text(results),
                losslessness_of_similarity(results),
                losslessness_of_answers(results),
                anytime(results),
            ],
            pictures=[
                *losslessness_pictures(results, directory),
                *anytime_pictures(results, directory),
                *steps_pictures(results, directory),
            ],
            folded=[all_scores(results)],
        ),
        Section(
            "paper",
            "The paper's tables",
            "The rows of the paper, and below them those computed here, in the same layout. The "
            "models and the data differ: compare each computed SNN row with its own ANN row.",
            tables=_of_the_paper(results),
        ),
        *_sweeps(results, directory),
        *_baselines(results, directory),
        *_ablations(results, directory),
        *_recorded(results, recorded, directory),
        Section(
            "energy",
            "Spikes and energy",
            "Spikes counted during evaluation, and the energy of Eq. 25: accumulations that spikes "
            "cause at 0.9 pJ against the ANN's FLOPs at 4.6 pJ.",
            tables=[
                *[energy_by_kind(cell, report) for cell, report in energy],
                *[spikes_by_kind(cell, tally) for cell, tally in spikes],
            ],
            pictures=levels_pictures(results, directory),
            folded=[energy_by_layer(cell, report) for cell, report in energy],
        ),
        Section(
            "accounts",
            "Energy under other accounts",
            "Eq. 25 is blind to memory, and charges a graded spike like a plain one. The same "
            "spikes, charged in other ways, on both sides alike.",
            tables=[
                accounts_of_cells(charged, hardware, last=False),
                latency_of_cells(charged),
                *map(accounts_by_part, detailed),
                *map(accounts_by_kind, detailed),
            ],
            pictures=[
                *frontier_pictures(charged, results, hardware, directory),
                *accounts_pictures(detailed, directory),
            ],
            folded=[
                accounts_of_cells(charged, hardware, last=True),
                accounts_on_hardware(detailed),
                *map(accounts_by_layer, detailed),
            ],
            pages=pages or {},
        ),
        Section(
            "neurons",
            "Outliers and fitted functions",
            "Why one threshold is not enough (Figure 1), and how well the HG neurons fit their "
            "functions (Figures 3 and 4).",
            tables=[fitted_functions(stored.functions)],
            pictures=[
                *[outlier_picture(one, directory) for one in stored.outliers],
                *[information_picture(one, directory) for one in stored.information],
                *[fit_picture(one, directory) for one in stored.fits],
            ],
        ),
    ]


def _of_the_paper(results: Results) -> list[Table]:
    """Each of the paper's tables, at a glance before in full."""
    scores = [(table_1, ".2f"), (table_2, ".3f"), (table_3, ".2f"), (table_4, ".2f")]
    tables: list[Table] = []
    for build, spec in scores:
        whole = build(results)
        tables += [glance_at_scores(whole, spec), whole]
    levels, steps = table_5(results), table_6(results)
    return [*tables, glance_at_levels(levels), levels, glance_at_steps(steps), steps]


def _sweeps(results: Results, directory: Path) -> list[Section]:
    """What T and H cost on every model; nothing where neither was varied."""
    found = sweeps(swept(results))
    if not found:
        return []
    intro = "What time steps and levels cost, in loss and in energy, with nothing else changed."
    tables, pictures = sweep_tables(found), sweep_pictures(found, directory)
    return [Section("sweeps", "Sweeps of T and H", intro, tables, pictures=pictures)]


def _baselines(results: Results, directory: Path) -> list[Section]:
    """LAS beside published conversions; nothing where no cell has one."""
    if not results.baselines:
        return []
    intro = "The systems that the paper compares with, run on the same models and items."
    pictures = baselines_pictures(results, directory)
    return [Section("baselines", "Beside others", intro, [baselines(results)], pictures=pictures)]


def _ablations(results: Results, directory: Path) -> list[Section]:
    """What each part of the method does; nothing where no cell has lost one."""
    if not results.ablations:
        return []
    intro = "What is lost without a part of the method (Section 5.5)."
    pictures = [
        *ablations_pictures(results, directory),
        sub_neurons_picture(sub_neurons(), directory),
    ]
    return [Section("ablations", "Ablations", intro, [ablations(results)], pictures=pictures)]


def _recorded(results: Results, recorded: Sequence[Recorded], directory: Path) -> list[Section]:
    """Spikes of single neurons; nothing where none were recorded."""
    if not recorded:
        return []
    intro = (
        "Who fires when, on a text that calibration has not seen. las.raster draws it for any site "
        "of a converted model."
    )
    pictures = recorded_pictures(recorded, results.made, directory)
    return [Section("spikes", "Spikes of single neurons", intro, pictures=pictures)]
