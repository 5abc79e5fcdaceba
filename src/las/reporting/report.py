"""From the results tree to the report: tables, figures and one page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from las.reporting import figures, own_tables, paper_tables
from las.reporting.cited_rows import cited_table
from las.reporting.figures import Series
from las.reporting.html import Picture, Section, render_page
from las.reporting.illustrations import Illustrations, load_illustrations
from las.reporting.paper_tables import metric_title, task_title
from las.reporting.provenance import provenance
from las.reporting.results import CellResult, Results, load_results
from las.reporting.summary import summarise
from las.reporting.table import Table

_FUNCTION_TITLES = {"gelu": "GELU", "gelu_tanh": "GELU (tanh)", "silu": "SiLU", "exp": "exp(x)"}


@dataclass(frozen=True)
class Report:
    """What `write_report` wrote.

    Attributes:
        index: the page.
        tables: every table; `Table.records()` gives it as columns and rows.
        pictures: every figure, with its path.
        table_files: the Markdown and CSV files.
    """

    index: Path
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    table_files: tuple[Path, ...]


def write_report(
    results_dir: Path,
    cells: Iterable[Mapping[str, str]],
    output_dir: Path,
    spiking_models: Path | None = None,
) -> Report:
    """Write index.html, tables/*.md, tables/*.csv and figures/*.png below `output_dir`.

    What has no results is shown as a dash or left out and named; nothing is made up. The same
    results give the same bytes.

    Args:
        results_dir: root of the results tree, `<model>/<neuron>/<evaluation>/*.json`.
        cells: the grid, mappings with the keys "model", "neuron" and "evaluation".
        output_dir: where to write.
        spiking_models: folder of each model's statistics, thresholds and functions, to be drawn;
            None draws none.

    Raises:
        ValueError: a results file is not what the pipeline writes.
        CalibrationError: stored statistics, thresholds or functions are damaged.
    """
    results = load_results(results_dir, cells)
    illustrations = (
        Illustrations() if spiking_models is None else load_illustrations(spiking_models, results)
    )
    sections = _sections(results, illustrations, output_dir / "figures")
    tables = tuple(t for section in sections for t in (*section.tables, *section.folded))
    page = render_page(
        summarise(results), sections, results.missing, provenance(results_dir.resolve())
    )
    index = output_dir / "index.html"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text(page, encoding="utf-8")
    return Report(
        index=index,
        tables=tables,
        pictures=tuple(picture for section in sections for picture in section.pictures),
        table_files=_write_tables(tables, output_dir / "tables"),
    )


def _write_tables(tables: Iterable[Table], directory: Path) -> tuple[Path, ...]:
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        for suffix, content in ((".md", table.to_markdown()), (".csv", table.to_csv())):
            path = directory / f"{table.slug}{suffix}"
            path.write_text(content, encoding="utf-8")
            written.append(path)
    return tuple(written)


def _sections(results: Results, shown: Illustrations, directory: Path) -> list[Section]:
    energy = [(cell, cell.energy) for cell in results.one_per_model() if cell.energy is not None]
    spikes = [(cell, cell.spikes) for cell in results.one_per_model() if cell.spikes is not None]
    return [
        Section(
            "lossless",
            "Losslessness",
            "How far the spiking models stray from their originals, for every T and H.",
            tables=[
                own_tables.losslessness_of_text(results),
                own_tables.losslessness_of_similarity(results),
                own_tables.losslessness_of_answers(results),
                own_tables.anytime(results),
            ],
            pictures=[
                *_losslessness(results, directory),
                *_anytime(results, directory),
                *_steps(results, directory),
            ],
            folded=[own_tables.all_scores(results)],
        ),
        Section(
            "paper",
            "The paper's tables",
            "The rows of the paper, and below them those computed here, in the same layout. The "
            "models and the data differ: compare each computed SNN row with its own ANN row.",
            tables=[
                paper_tables.table_1(results),
                paper_tables.table_2(results),
                paper_tables.table_3(results),
                paper_tables.table_4(results),
                paper_tables.table_5(results),
                paper_tables.table_6(results),
            ],
        ),
        Section(
            "energy",
            "Spikes and energy",
            "Spikes counted during evaluation, and the energy of Eq. 25: accumulations that spikes "
            "cause at 0.9 pJ against the ANN's FLOPs at 4.6 pJ.",
            tables=[
                *[own_tables.energy_by_kind(cell, report) for cell, report in energy],
                *[own_tables.spikes_by_kind(cell, tally) for cell, tally in spikes],
            ],
            pictures=_levels(results, directory),
            folded=[own_tables.energy_by_layer(cell, report) for cell, report in energy],
        ),
        Section(
            "neurons",
            "Outliers and fitted functions",
            "Why one threshold is not enough (Figure 1), and how well the HG neurons fit their "
            "functions (Figures 3 and 4).",
            tables=[own_tables.fitted_functions(shown.functions)],
            pictures=_illustrations(shown, directory),
        ),
    ]


def _losslessness(results: Results, directory: Path) -> list[Picture]:
    points: dict[str, list[tuple[int, float]]] = {}
    for model in results.models:
        for cell in results.of(model):
            for score in cell.with_metric("perplexity"):
                # A divergence of exactly zero has no place on a logarithmic axis.
                if score.kl is not None and score.kl > 0:
                    name = f"{cell.title}, H = {cell.levels}"
                    points.setdefault(name, []).append((cell.time_steps, score.kl))
    if not points:
        return []
    series = [
        Series(name, [t for t, _ in sorted(line)], [kl for _, kl in sorted(line)])
        for name, line in points.items()
    ]
    path = figures.losslessness(directory / "losslessness.png", series, "KL against T")
    return [
        Picture(
            path,
            "KL divergence against T",
            "Mean KL divergence of the SNN's next-token distribution from the ANN's, on text held "
            "out from calibration. Logarithmic axis: each step down is a factor of ten.",
        )
    ]


def _anytime(results: Results, directory: Path) -> list[Picture]:
    series = []
    for cell in results.cells:
        points = [(t, score.kl) for t, score in cell.after_steps if score.kl]
        if points:
            name = f"{cell.title}, T = {cell.time_steps}, H = {cell.levels}"
            series.append(Series(name, [t for t, _ in points], [kl for _, kl in points]))
    if not series:
        return []
    path = figures.anytime(directory / "anytime.png", series, "KL after each time step")
    return [
        Picture(
            path,
            "KL after each time step",
            "One conversion, read off after t of its T time steps: every neuron has fired in the "
            "first t of them and keeps the thresholds of all T.",
        )
    ]


def _steps(results: Results, directory: Path) -> list[Picture]:
    pictures = []
    for sweep in results.sweep("time_steps"):
        series = []
        for first in sweep[-1].with_metric("spearman"):
            found = [(c.time_steps, c.score(first.task, first.metric)) for c in sweep]
            points = [(t, score) for t, score in found if score is not None]
            series.append(
                Series(
                    task_title(first.task),
                    [t for t, _ in points],
                    [score.spiking for _, score in points],
                    [score.snn_stderr or 0.0 for _, score in points],
                    reference=first.ann,
                )
            )
        if not series:
            continue
        cell = sweep[0]
        title = f"{cell.title}: scores against T (H = {cell.levels})"
        path = directory / f"steps_{cell.model}.png"
        figures.steps_sweep(path, series, f"{metric_title('spearman')} x100", title)
        pictures.append(
            Picture(
                path,
                title,
                "Dotted: the ANN. Bars: one standard error over pairs, the same pairs for every T.",
            )
        )
    return pictures


def _levels(results: Results, directory: Path) -> list[Picture]:
    series = []
    for sweep in results.sweep("levels"):
        points = [(cell.levels, _ratio(cell)) for cell in sweep]
        known = [(levels, ratio) for levels, ratio in points if ratio is not None]
        if known:
            cell = sweep[0]
            name = f"{cell.title}, {cell.evaluation} (T = {cell.time_steps})"
            series.append(Series(name, [h for h, _ in known], [ratio for _, ratio in known]))
    if not series:
        return []
    cited = cited_table(5)
    levels = [int(name.removeprefix("H=")) for name in cited.columns[3:]]
    ratios = [float(value or "nan") for value in cited.rows[1][3:]]
    series.append(Series("BERT, STS-B (cited)", levels, ratios, cited=True))
    path = figures.levels_sweep(directory / "levels.png", series, "Energy against H")
    return [
        Picture(
            path,
            "Energy against H",
            "Ratio of Eq. 25. Dashed: the paper's Table 5, for another model on other data.",
        )
    ]


def _ratio(cell: CellResult) -> float | None:
    return None if cell.energy is None else cell.energy.total.ratio


def _illustrations(shown: Illustrations, directory: Path) -> list[Picture]:
    pictures = []
    for outlier in shown.outliers:
        path = directory / f"outliers_{outlier.model}.png"
        title = f"{outlier.title}: outliers, {outlier.site}"
        figures.outliers(path, outlier.maximum, title)
        pictures.append(
            Picture(
                path,
                f"Figure 1 (a). {title}",
                "Each dot is one channel's largest magnitude in calibration. A few channels are "
                "orders of magnitude above the median.",
            )
        )
    for information in shown.information:
        path = directory / f"information_{information.model}.png"
        title = (
            f"{information.title}: what one threshold loses\n"
            f"{information.site}, T = {information.time_steps}"
        )
        figures.information(
            path,
            information.values,
            information.one_threshold,
            information.two_thresholds,
            title,
        )
        pictures.append(
            Picture(
                path,
                f"Figure 1 (b). {title}",
                "One MT neuron has to cover the outliers, so its steps are too coarse for all "
                "other values; the OAT neuron has a threshold for each. Left: the values nearest "
                "to zero and their codes. Right: error relative to the value's size.",
            )
        )
    for fit in shown.fits:
        path = directory / f"fit_{fit.model}_{fit.function}.png"
        name = _FUNCTION_TITLES.get(fit.function, fit.function)
        title = f"{fit.title}: {name} by an HG neuron, T = {fit.time_steps}, N = {fit.sub_neurons}"
        figures.function_fit(path, fit.x, fit.target, fit.output, title)
        number = {"gelu": "Figure 3. ", "exp": "Figure 4. "}.get(fit.function, "")
        pictures.append(
            Picture(path, f"{number}{title}", "Above: function and output. Below: the error.")
        )
    return pictures
