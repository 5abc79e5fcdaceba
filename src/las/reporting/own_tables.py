"""Tables the paper does not have: what was lost, where spikes and energy go, how well it fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from las.energy import EnergyReport, EnergyRow
from las.evaluation.score import Score
from las.fitting.fit import Fit
from las.neurons.tally import SiteCount, SpikeTally
from las.reporting.paper_tables import ann_number, metric_title, snn_number, task_title
from las.reporting.results import CellResult, Results
from las.reporting.table import Cell, Number, Row, Table

_BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)(?:\.|$)")


def losslessness_of_text(results: Results) -> Table:
    """Language models: perplexity, KL and top-1 agreement for every (T, H)."""
    rows = []
    for cell in _ordered(results):
        for score in cell.with_metric("perplexity"):
            rows.append(
                Row(
                    (
                        cell.title,
                        task_title(score.task),
                        cell.time_steps,
                        cell.levels,
                        *_perplexities(score),
                        *_spiking(cell),
                    )
                )
            )
    return Table(
        slug="losslessness_text",
        title="Losslessness: language models",
        columns=(
            "Model",
            "Text",
            "T",
            "H",
            *_PERPLEXITY_COLUMNS,
            *_SPIKING_COLUMNS,
        ),
        rows=tuple(rows),
        notes=(
            "Change: paired over windows, ± standard error. KL: mean per token, both models on the "
            "same tokens. " + _SPIKING_NOTE,
        ),
        text_columns=2,
    )


def losslessness_of_similarity(results: Results) -> Table:
    """Encoders: change of each correlation and of the hidden states for every (T, H)."""
    cells = [cell for cell in _ordered(results) if cell.with_metric("spearman")]
    tasks = list(dict.fromkeys(s.task for cell in cells for s in cell.with_metric("spearman")))
    rows = []
    for cell in cells:
        scores = [cell.score(task, "spearman") for task in tasks]
        hidden = [s.extra.get("hidden_relative_error") for s in scores if s is not None]
        errors = [error for error in hidden if error is not None]
        order = [s.agreement for s in scores if s is not None and s.agreement is not None]
        rows.append(
            Row(
                (
                    cell.title,
                    cell.time_steps,
                    cell.levels,
                    *[
                        None if s is None else Number(s.spiking - s.ann, spec="+.3f")
                        for s in scores
                    ],
                    _percent(min(order, default=None)),
                    Number(max(errors), spec=".1e") if errors else None,
                    *_spiking(cell),
                )
            )
        )
    return Table(
        slug="losslessness_similarity",
        title="Losslessness: encoders",
        columns=(
            "Model",
            "T",
            "H",
            *[f"{task_title(task)}, change" for task in tasks],
            "Same order, %",
            "Error of hidden state",
            *_SPIKING_COLUMNS,
        ),
        rows=tuple(rows),
        notes=(
            "Change: Spearman correlation x100 of the SNN less that of the ANN, in points; the "
            "scores themselves are in the table of all scores. Same order: share of pairs of pairs "
            "that both models rank alike. Error of hidden state: relative, last layer, mean over "
            "tokens. Of several data sets the worst is shown. " + _SPIKING_NOTE,
        ),
    )


def losslessness_of_answers(results: Results) -> Table:
    """Questions and classes: what both models answer, for every (T, H)."""
    rows = []
    for cell in _ordered(results):
        for score in cell.scores:
            if score.metric in _OF_OTHER_TABLES or "after_steps" in score.extra:
                continue
            ann, snn = ann_number(score), snn_number(score)
            rows.append(
                Row(
                    (
                        cell.title,
                        task_title(score.task),
                        metric_title(score.metric),
                        cell.time_steps,
                        cell.levels,
                        ann,
                        snn,
                        Number(snn.value - ann.value, spec="+.2f"),
                        _percent(score.agreement),
                        None if score.kl is None else Number(score.kl, spec=".2e"),
                        _percent(score.extra.get("majority")),
                        _percent(score.extra.get("blind")),
                        score.items,
                        *_spiking(cell),
                    )
                )
            )
    return Table(
        slug="losslessness_answers",
        title="Losslessness: questions and classes",
        columns=(
            "Model",
            "Task",
            "Metric",
            "T",
            "H",
            "ANN",
            "SNN",
            "Change",
            "Same answer, %",
            "KL(ANN || SNN), nats",
            "Most frequent answer, %",
            "Without looking, %",
            "Items",
            *_SPIKING_COLUMNS,
        ),
        rows=tuple(rows),
        notes=(
            "Accuracies and F1 in %, ± standard error; change in points. Same answer: share of the "
            "items that both models answer alike, whether rightly or not. Most frequent answer: "
            "what always giving it would score. Without looking: what the most frequent answer to "
            "the same question would. " + _SPIKING_NOTE,
        ),
        text_columns=3,
    )


_OF_OTHER_TABLES = ("perplexity", "bits_per_byte", "spearman", "pearson")


def anytime(results: Results) -> Table:
    """Language models read off after each of their T time steps."""
    rows = []
    for cell in _ordered(results):
        ratio = None if cell.energy is None else cell.energy.total.ratio
        for t, score in cell.after_steps:
            _, whole = cell.after_steps[-1]
            share = score.extra["sops_per_token"] / whole.extra["sops_per_token"]
            rows.append(
                Row(
                    (
                        cell.title,
                        task_title(score.task),
                        cell.time_steps,
                        cell.levels,
                        t,
                        *_perplexities(score),
                        Number(score.extra["spikes_per_token"], spec=",.0f"),
                        None if ratio is None else Number(ratio * share, spec=".3f"),
                    )
                )
            )
    return Table(
        slug="anytime",
        title="After each time step",
        columns=(
            "Model",
            "Text",
            "T",
            "H",
            "t",
            *_PERPLEXITY_COLUMNS,
            "Spikes per token",
            "E_snn/E_ann",
        ),
        rows=tuple(rows),
        notes=(
            "One conversion, stopped: every neuron has fired in the first t of its T time steps, "
            "with the thresholds of all T, and is silent in the others. A conversion for t steps "
            "chooses its thresholds for them and loses less. Energy: Eq. 25 with the synaptic "
            "operations up to step t.",
        ),
        text_columns=2,
    )


_PERPLEXITY_COLUMNS = (
    "Perplexity ANN",
    "Perplexity SNN",
    "Change, %",
    "KL(ANN || SNN), nats",
    "Same top-1 token, %",
    "Tokens",
)


def _perplexities(score: Score) -> tuple[Cell, ...]:
    """Both perplexities, and how far the models stray from each other."""
    change = score.extra["relative_change_percent"]
    error = score.extra.get("relative_change_stderr_percent")
    return (
        Number(score.ann, spec=".3f"),
        Number(score.spiking, spec=",.3f"),
        Number(change, error, "+,.3f"),
        None if score.kl is None else Number(score.kl, spec=".2e"),
        _percent(score.agreement),
        score.items,
    )


_SPIKING_COLUMNS = ("Spikes per value", "Out of range", "E_snn/E_ann")
_SPIKING_NOTE = (
    "Spikes per value: mean over all values coded, MT, OAT and HG neurons together. Out of range: "
    "share of the values beyond what their neuron was calibrated for."
)


def _spiking(cell: CellResult) -> tuple[Cell, Cell, Cell]:
    """Mean spikes per value, share out of range, energy ratio."""
    per_value: Cell = None
    outside: Cell = None
    if cell.spikes is not None:
        values = sum(site.activations for site in cell.spikes.sites.values())
        if values:
            per_value = Number(cell.spikes.spikes / values)
            outside = Number(cell.spikes.out_of_range / values, spec=".1e")
    ratio = None if cell.energy is None else cell.energy.total.ratio
    return per_value, outside, None if ratio is None else Number(ratio, spec=".3f")


def all_scores(results: Results) -> Table:
    """Every score of every cell."""
    rows = [
        Row(
            (
                cell.title,
                task_title(score.task),
                metric_title(score.metric),
                cell.time_steps,
                cell.levels,
                ann_number(score),
                snn_number(score),
                _percent(score.agreement),
                None if score.kl is None else Number(score.kl, spec=".2e"),
                score.items,
                score.items_available,
            )
        )
        for cell in _ordered(results)
        for score in cell.scores
    ]
    rows += [
        Row(
            (
                original.title,
                task_title(score.task),
                metric_title(score.metric),
                *[None] * 2,
                ann_number(score),
                *[None] * 3,
                score.items,
                score.items_available,
            )
        )
        for original in results.originals
        for score in original.scores
    ]
    return Table(
        slug="scores",
        title="All scores",
        columns=(
            "Model",
            "Task",
            "Metric",
            "T",
            "H",
            "ANN",
            "SNN",
            "Agreement, %",
            "KL(ANN || SNN), nats",
            "Items",
            "Items available",
        ),
        rows=tuple(rows),
        notes=(
            "Accuracies and F1 in %, correlations x100, ± standard error. Agreement: share of "
            "items that ANN and SNN answer alike, whether rightly or not. Without T and H: an "
            "original that was not converted.",
        ),
        text_columns=3,
    )


def energy_by_layer(cell: CellResult, energy: EnergyReport) -> Table:
    """Energy of every transformer block, of what lies outside the blocks, and in total."""
    return _energy_table(cell, energy, "layer", "block", lambda row: _block(row.name))


def energy_by_kind(cell: CellResult, energy: EnergyReport) -> Table:
    """Energy of every kind of operation, and in total."""
    return _energy_table(cell, energy, "kind", "kind of operation", lambda row: row.kind)


def _block(name: str) -> str:
    match = _BLOCK.search(name)
    return f"block {match[1]}" if match else "outside the blocks"


def _energy_table(
    cell: CellResult, energy: EnergyReport, slug: str, what: str, key: Callable[[EnergyRow], str]
) -> Table:
    total = energy.total
    tokens = energy.tokens or 1
    rows = []
    for row in [*energy.grouped(key), total]:
        rows.append(
            Row(
                (
                    row.name,
                    Number(row.sops / tokens, spec=",.0f"),
                    Number(row.macs / tokens, spec=",.0f"),
                    Number(row.nonlinear_flops / tokens, spec=",.0f"),
                    Number(row.snn_pj / tokens / 1e6, spec=".3f"),
                    Number(row.ann_pj / tokens / 1e6, spec=".3f"),
                    None if row.ratio is None else Number(row.ratio, spec=".3f"),
                    Number(100 * row.snn_pj / total.snn_pj, spec=".1f") if total.snn_pj else None,
                    Number(100 * row.ann_pj / total.ann_pj, spec=".1f") if total.ann_pj else None,
                )
            )
        )
    unit = f"per token, over {energy.tokens:,} tokens" if energy.tokens else "in all"
    return Table(
        slug=f"energy_{slug}_{cell.model}_{cell.neuron}_{cell.evaluation}",
        title=f"Energy by {what}: {cell.title}, {task_title(cell.evaluation)}, "
        f"T={cell.time_steps}, H={cell.levels}",
        columns=(
            what.capitalize(),
            "SOPs",
            "MACs",
            "Non-linear FLOPs",
            "E_snn, µJ",
            "E_ann, µJ",
            "E_snn/E_ann",
            "Share of E_snn, %",
            "Share of E_ann, %",
        ),
        rows=tuple(rows),
        notes=(f'All {unit}. Cost model "{energy.cost_model.name}": {energy.cost_model.note}',),
    )


def spikes_by_kind(cell: CellResult, spikes: SpikeTally) -> Table:
    """Spikes of every kind of neuron."""
    kinds: dict[str, list[SiteCount]] = {}
    for site in spikes.sites.values():
        kinds.setdefault(site.kind, []).append(site)
    rows = []
    for kind, sites in sorted(kinds.items()):
        values = sum(site.activations for site in sites)
        fired = sum(site.spikes for site in sites)
        chances = sum(site.activations * site.time_steps for site in sites)
        outside = sum(site.out_of_range for site in sites)
        rows.append(
            Row(
                (
                    kind,
                    len(sites),
                    values,
                    fired,
                    Number(fired / values) if values else None,
                    Number(100 * fired / chances, spec=".1f") if chances else None,
                    outside,
                    Number(outside / values, spec=".1e") if values else None,
                )
            )
        )
    return Table(
        slug=f"spikes_{cell.model}_{cell.neuron}_{cell.evaluation}",
        title=f"Spikes: {cell.title}, {task_title(cell.evaluation)}, "
        f"T={cell.time_steps}, H={cell.levels}",
        columns=(
            "Neuron",
            "Sites",
            "Values coded",
            "Spikes",
            "Spikes per value",
            "Firing rate, %",
            "Out of range",
            "Share out of range",
        ),
        rows=tuple(rows),
        notes=(
            "Firing rate: share of neuron-time-steps with a spike. Out of range: values beyond the "
            "largest representable one (MT, OAT) or beyond the calibrated range, where the "
            "function follows its asymptote (HG).",
        ),
    )


def fitted_functions(fits: Sequence[tuple[str, str, Fit]]) -> Table:
    """HG neurons: number of sub-neurons, range, errors on the dense grid, mean spikes.

    Args:
        fits: model title, name of the function, and its fit.
    """
    return Table(
        slug="functions",
        title="Fitted functions (HG neurons)",
        columns=(
            "Model",
            "Function",
            "T",
            "N",
            "From",
            "To",
            "Largest error",
            "Largest relative error",
            "Mean error",
            "Mean spikes",
            "Within budget",
        ),
        rows=tuple(
            Row(
                (
                    title,
                    name,
                    fit.neuron.time_steps,
                    fit.neuron.size,
                    Number(fit.neuron.low, spec=".4g"),
                    Number(fit.neuron.high, spec=".4g"),
                    Number(fit.max_error, spec=".1e"),
                    Number(fit.max_relative_error, spec=".1e"),
                    Number(fit.mean_error, spec=".1e"),
                    Number(fit.mean_spikes),
                    "yes" if fit.met else "no",
                )
            )
            for title, name, fit in fits
        ),
        notes=(
            "N: FS sub-neurons of T steps each, the fewest that meet the error budget. Errors over "
            "the calibrated range on a dense grid disjoint from the samples of the fit. The budget "
            "is absolute or relative, as the consumer of the function needs.",
        ),
        text_columns=2,
    )


def _ordered(results: Results) -> list[CellResult]:
    return [cell for model in results.models for cell in results.of(model)]


def _percent(share: float | None) -> Cell:
    return None if share is None else Number(100 * share)
