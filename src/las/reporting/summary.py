"""The first section of the report: what was converted, was anything lost, what does it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from las.evaluation.score import Score
from las.reporting.ablated import LAS, label
from las.reporting.column import Column, tabulate
from las.reporting.names import (
    ann_number,
    evaluation_title,
    metric_title,
    snn_number,
    task_title,
)
from las.reporting.results import CellResult, Results
from las.reporting.table import Number, Table, text
from las.reporting.tables.scored import percent


@dataclass(frozen=True)
class ModelSummary:
    """The answers for one model.

    Attributes:
        title: the model's name.
        converted: what spikes, in one sentence.
        lost: every score of the two models side by side.
        cost: the energy by Eq. 25, one sentence per evaluation, and the verdict of all accounts;
            the same of neurons with a budget.
    """

    title: str
    converted: str
    lost: Table
    cost: tuple[str, ...]


def summarise(
    results: Results,
    verdicts: Mapping[str, str] | None = None,
    frugal: Mapping[str, str] | None = None,
) -> list[ModelSummary]:
    """One summary per model, of its cells nearest to the paper's T=16 and H=5.

    Arguments:
        results: the cells that were evaluated.
        verdicts: by the model's name, under which accounts spiking wins.
        frugal: the same of one of its cells with a budget.
    """
    told = {model: (paragraph,) for model, paragraph in (verdicts or {}).items()}
    told_of_frugal = {model: (paragraph,) for model, paragraph in (frugal or {}).items()}
    summaries = []
    for first in results.one_per_model():
        of_model = results.of(first.model)
        nearest = {first.evaluation: first}
        for cell in of_model:
            if (cell.setting, cell.vision) == (first.setting, first.vision):
                nearest.setdefault(cell.evaluation, cell)
        cells = list(nearest.values())
        summaries.append(
            ModelSummary(
                first.title,
                _converted(first),
                _lost(first, cells),
                (
                    *_cost(cells),
                    *told.get(first.model, ()),
                    *_frugal(of_model),
                    *told_of_frugal.get(first.model, ()),
                ),
            )
        )
    return summaries


def _converted(cell: CellResult) -> str:
    neurons = f"T = {cell.row_steps} time steps, H = {cell.levels} levels".replace("= ≤", "≤")
    if label(cell) != LAS:
        neurons += f", {label(cell)}"
    if cell.spikes is None:
        return f"Spiking neurons with {neurons}."
    kinds = Counter(site.kind for site in cell.spikes.sites.values())
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{sum(kinds.values())} populations of spiking neurons with {neurons}: {listed}."


def _difference(score: Score) -> Number:
    digits = 3 if score.metric in ("perplexity", "bits_per_byte") else 2
    return Number(snn_number(score).value - ann_number(score).value, spec=f"+.{digits}f")


_LOST = (
    Column[Score]("Measure", lambda s: f"{task_title(s.task)}, {metric_title(s.metric)}"),
    Column[Score]("ANN", ann_number),
    Column[Score]("SNN", snn_number),
    Column[Score]("Difference", _difference),
    Column[Score]("Same answer, %", lambda s: percent(s.agreement), ".2f"),
    Column[Score]("KL, nats", lambda s: s.kl, ".1e"),
)


def _lost(first: CellResult, cells: list[CellResult]) -> Table:
    return tabulate(
        slug=f"summary_{first.model}",
        title=f"{first.title}: ANN and SNN on the same items",
        columns=_LOST,
        subjects=[
            score
            for cell in cells
            for score in cell.scores
            if score.metric != "pearson" and "after_steps" not in score.extra
        ],
    )


def _frugal(cells: list[CellResult]) -> tuple[str, ...]:
    """What the cells with a budget lose and save."""
    sentences = []
    for cell in cells:
        if cell.budget is None or cell.energy is None:
            continue
        ratio = text(None if (r := cell.energy.total.ratio) is None else Number(r, spec=".3f"))
        sentence = (
            f"{evaluation_title(cell.evaluation)}, frugal neurons with T {cell.row_steps}, "
            f"H = {cell.levels} and a loss of {cell.budget:g} allowed: E_snn/E_ann = {ratio} by "
            "Eq. 25"
        )
        found = [score.kl for score in cell.with_metric("perplexity") if score.kl is not None]
        if found:
            sentence += f", KL {sum(found) / len(found):.1e} on held-out text"
        lost = [score.ann - score.spiking for score in cell.with_metric("spearman")]
        if lost:
            sentence += f", Spearman's rho at most {max(map(abs, lost)):.2f} points from the ANN's"
        sentences.append(f"{sentence}.")
    return tuple(sentences)


def _cost(cells: list[CellResult]) -> tuple[str, ...]:
    sentences = []
    for cell in cells:
        if cell.energy is None:
            continue
        total = cell.energy.total
        ratio = text(None if total.ratio is None else Number(total.ratio, spec=".3f"))
        sentence = f"{evaluation_title(cell.evaluation)}: E_snn/E_ann = {ratio} by Eq. 25"
        if cell.energy.tokens:
            per_token = 1e-6 / cell.energy.tokens
            sentence += (
                f" ({total.snn_pj * per_token:,.1f} µJ against {total.ann_pj * per_token:,.1f} µJ"
                " per token)"
            )
        sentences.append(f"{sentence}.")
    return tuple(sentences)
