"""From the results tree to the report: tables, figures and one page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from las.energy import Hardware, verdict
from las.energy.descriptions import HOROWITZ_45NM
from las.reporting.accounted import accounted, cheapest_with_a_budget, one_per_model
from las.reporting.cells import write_cells
from las.reporting.figures.picture import Picture
from las.reporting.html import render_page
from las.reporting.latex import to_latex
from las.reporting.names import evaluation_title
from las.reporting.provenance import provenance
from las.reporting.recorded import load_recorded
from las.reporting.results import Made, Results, load_results
from las.reporting.sections import sections
from las.reporting.stored import Stored, load_stored
from las.reporting.summary import summarise
from las.reporting.table import Table


@dataclass(frozen=True)
class Report:
    """What `write_report` wrote.

    Attributes:
        index: the page.
        tables: every table; `Table.records()` gives it as columns and rows.
        pictures: every figure, with its path.
        results: what it shows.
    """

    index: Path
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    results: Results


def write_report(
    results_dir: Path,
    cells: Iterable[Mapping[str, str]],
    output_dir: Path,
    spiking_models: Path | None = None,
    hardware: Hardware = HOROWITZ_45NM,
    revision: str | None = None,
    date: str | None = None,
    spikes: Path | None = None,
) -> Report:
    """Write index.html, tables/*.md, *.csv and *.tex, and figures/*.png and *.pdf, in `output_dir`.

    Beside them are accounts/*.html and *.csv: all cells of a model, layer by layer.

    What has no results, or damaged ones, is shown as a dash or left out and named; nothing is made
    up. The same results give the same bytes.

    Args:
        results_dir: root of the results tree, `<model>/<neuron>/<evaluation>/*.json`.
        cells: what to show, mappings with the keys "model", "neuron" and "evaluation".
        output_dir: where to write.
        spiking_models: folder of each model's statistics, thresholds and functions, to be drawn;
            None draws none.
        hardware: what operations and memory cost, beside Eq. 25.
        revision: of the sources that made the results, where it is known.
        date: of that revision.
        spikes: folder of recorded spikes, `*.npz`, to be drawn; None draws none.

    Raises:
        LasError: a file of recorded spikes is damaged, or says nothing of the text that was read.
        CalibrationError: stored statistics, thresholds or functions are damaged.
    """
    results = load_results(results_dir, cells)
    stored = Stored() if spiking_models is None else load_stored(spiking_models, results)
    results = replace(results, made=Made(stored.weights, revision, date))
    recorded = () if spikes is None else load_recorded(spikes)
    charged = accounted(results, hardware)
    verdicts = {
        one.cell.model: f"{evaluation_title(one.cell.evaluation)}, {one.cell.setting}, under all "
        f"accounts: {verdict(one.accounts)}"
        for one in one_per_model(charged, results)
    }
    frugal = {
        model: f"{evaluation_title(one.cell.evaluation)}, the cheapest neurons with a budget "
        f"({one.cell.setting}), under all accounts: {verdict(one.accounts)}"
        for model, one in cheapest_with_a_budget(charged).items()
    }
    pages = write_cells(charged, hardware, output_dir)
    parts = sections(results, stored, output_dir / "figures", charged, hardware, recorded, pages)
    tables = tuple(t for section in parts for t in (*section.tables, *section.folded))
    told = {"revision": revision, "date of the revision": date}
    made_with = provenance() | {name: value for name, value in told.items() if value}
    summaries = summarise(results, verdicts, frugal)
    page = render_page(summaries, parts, results.missing, results.damaged, made_with)
    index = output_dir / "index.html"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text(page, encoding="utf-8")
    _write_tables(tables, output_dir / "tables")
    return Report(
        index=index,
        tables=tables,
        pictures=tuple(picture for section in parts for picture in section.pictures),
        results=results,
    )


def _write_tables(tables: Iterable[Table], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for table in tables:
        written = {"md": table.to_markdown(), "csv": table.to_csv(), "tex": to_latex(table)}
        for suffix, content in written.items():
            (directory / f"{table.slug}.{suffix}").write_text(content, encoding="utf-8")
