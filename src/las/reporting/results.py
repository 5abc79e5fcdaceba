"""The results tree, read back: one `CellResult` per evaluated cell of the grid."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from las.config import Rounding, ThresholdRule, Vision
from las.energy import EnergyReport
from las.evaluation.anytime import AFTER
from las.evaluation.score import Score
from las.neurons.tally import SpikeTally
from las.reporting.ablated import LAS, ablation_of, label


@dataclass(frozen=True)
class OriginalResult:
    """The scores of a model that was not converted.

    Attributes:
        model: name of the model's directory.
        neuron: name of the neuron's directory.
        evaluation: name of the evaluation.
        title: the model's name as shown.
        row: its name in the paper's tables, where several checkpoints may share a row.
        scores: one per task and metric.
    """

    model: str
    neuron: str
    evaluation: str
    title: str
    row: str
    scores: tuple[Score, ...]

    def score(self, task: str, metric: str) -> Score | None:
        """The score of one task and metric, None where it was not evaluated."""
        for score in self.scores:
            if (score.task, score.metric) == (task, metric):
                return score
        return None

    def with_metric(self, metric: str) -> list[Score]:
        """The scores of one metric."""
        return [score for score in self.scores if score.metric == metric]


@dataclass(frozen=True)
class CellResult(OriginalResult):
    """What one cell (model, neuron, evaluation) gave; its scores hold ANN beside SNN.

    Attributes:
        time_steps: T.
        levels: H.
        rounding: how the MT neurons round.
        threshold_rule: how thresholds were chosen.
        budget: the loss that is allowed to frugal neurons, whose T differs from site to site; None
            for others.
        vision: whether vision towers spike too; where they do not, title and row say so.
        ablation: what part of the method was taken out; "" for none.
        energy: the estimate of Eq. 25, None where there is none.
        spikes: what was counted, None where nothing was.
        stopped: by t, what was counted in the first t of the T time steps, where this was measured.
    """

    time_steps: int
    levels: int
    rounding: Rounding
    vision: Vision = "spiking"
    threshold_rule: ThresholdRule = "error"
    budget: float | None = None
    ablation: str = ""
    energy: EnergyReport | None = None
    spikes: SpikeTally | None = None
    stopped: Mapping[int, SpikeTally] = field(default_factory=dict)

    @property
    def setting(self) -> str:
        """Its neurons in a few words: T and H, and what tells them from others of these."""
        steps = f"T={self.time_steps}" if self.budget is None else f"T{self.row_steps}"
        special = () if label(self) == LAS else (label(self),)
        return ", ".join((*special, steps.replace(" ", ""), f"H={self.levels}"))

    @property
    def thresholds(self) -> str:
        """Behind a name: how thresholds were chosen, where not by the least error."""
        return "" if self.threshold_rule == "error" else f", {self.threshold_rule} thresholds"

    @property
    def plain(self) -> bool:
        """Whether nothing but T and H was chosen; the neurons are named by them alone, `t9h5`."""
        usual = self.budget is None and self.threshold_rule == "error" and not self.ablation
        named = self.neuron == f"t{self.time_steps}h{self.levels}"
        return usual and named and self.vision == "spiking"

    @property
    def system(self) -> str:
        """What made it spike."""
        return LAS

    @property
    def snn_row(self) -> str:
        """Name of the spiking model in a table; what it has not of the paper's neurons is said."""
        levels = "" if self.levels == 5 else f"H={self.levels}"
        special = label(self).removeprefix(LAS)
        return f"LAS ({', '.join(filter(None, (self.row, levels, special)))})"

    @property
    def row_steps(self) -> str:
        """T as it is shown: with a budget, the most that a site has."""
        if self.budget is None:
            return str(self.time_steps)
        sites = [] if self.spikes is None else list(self.spikes.sites.values())
        most = max((s.time_steps for s in sites if s.kind == "oat"), default=self.time_steps)
        return f"≤ {most}"

    @property
    def after_steps(self) -> list[tuple[int, Score]]:
        """t and the score after t of the T time steps, in rising order, where this was measured."""
        found = [(int(s.extra["after_steps"]), s) for s in self.scores if "after_steps" in s.extra]
        return sorted(found, key=lambda item: item[0])


@dataclass(frozen=True)
class Made:
    """With what all results of a report were made.

    Attributes:
        weights: fingerprint of the weights, by the model's name.
        revision: of the sources, None where they are under no version control.
        date: of that revision.
    """

    weights: Mapping[str, str] = field(default_factory=dict)
    revision: str | None = None
    date: str | None = None


FINE_TUNED = ", fine-tuned"
"""Behind the name of a published conversion whose model was trained for its neurons."""


@dataclass(frozen=True)
class BaselineResult(OriginalResult):
    """What a cell with a published conversion gave; its scores hold ANN beside SNN.

    Attributes:
        method: its name.
        time_steps: T.
        tuning_steps: of the training for its neurons; 0 without.
        energy: the estimate of Eq. 25, None where there is none.
    """

    method: str
    time_steps: int
    tuning_steps: int = 0
    energy: EnergyReport | None = None

    @property
    def system(self) -> str:
        """What made it spike."""
        return f"{self.method}{FINE_TUNED}" if self.tuning_steps else self.method

    @property
    def snn_row(self) -> str:
        """Name of the spiking model in a table."""
        return f"{self.system}, computed here ({self.row})"

    @property
    def row_steps(self) -> str:
        """T as it is shown."""
        return str(self.time_steps)


Spiking = CellResult | BaselineResult
"""What has a spiking model."""


@dataclass(frozen=True)
class Results:
    """All cells that have results, and the names of those that have none.

    Attributes:
        cells: those with a spiking model.
        missing: names of the cells without results.
        originals: those of models that were not converted.
        made: with what.
        ablations: cells from which a part of the method was taken; they are not among `cells`.
        baselines: those of published conversions.
        damaged: names of the cells whose results cannot be read, and why.
    """

    cells: tuple[CellResult, ...]
    missing: tuple[str, ...] = ()
    originals: tuple[OriginalResult, ...] = ()
    made: Made = Made()
    ablations: tuple[CellResult, ...] = ()
    baselines: tuple[BaselineResult, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the grid."""
        return list(dict.fromkeys(cell.model for cell in self.cells))

    def of(self, model: str) -> list[CellResult]:
        """The cells of one model: the default neuron, other thresholds, budgets.

        Of each the longest T and then the largest H first.
        """
        cells = [cell for cell in self.cells if cell.model == model]
        return sorted(
            cells,
            key=lambda cell: (
                *(cell.budget is not None, bool(cell.thresholds), cell.thresholds),
                *(-cell.time_steps, -cell.levels, cell.budget or 0),
            ),
        )

    def headline(self, shown: Callable[[Score], bool]) -> list[CellResult]:
        """Per model and evaluation with such scores, its cell nearest to the paper's T=16 and H=5.

        Args:
            shown: says of a score whether it is wanted.
        """
        best: dict[tuple[str, str, Vision], CellResult] = {}
        for cell in self.cells:
            if not any(map(shown, cell.scores)):
                continue
            key = (cell.model, cell.evaluation, cell.vision)
            if key not in best or _distance(cell) < _distance(best[key]):
                best[key] = cell
        return list(best.values())

    def one_per_model(self) -> list[CellResult]:
        """Per model, the first cell of the grid nearest to the paper's T=16 and H=5."""
        return [
            min((cell for cell in self.cells if cell.model == model), key=_distance)
            for model in self.models
        ]

    def beside_baselines(self) -> list[list[Spiking]]:
        """Per model and evaluation with published conversions: LAS at H = 5, then each of them.

        Of each system the cells are in rising order of T; LAS has one at each.
        """
        groups: dict[tuple[str, str], list[BaselineResult]] = {}
        for baseline in self.baselines:
            groups.setdefault((baseline.model, baseline.evaluation), []).append(baseline)
        found: list[list[Spiking]] = []
        for place, group in groups.items():
            own: dict[int, CellResult] = {}
            for cell in sorted(self.cells, key=_distance):
                usual = not _distance(cell)[0] and cell.levels == 5
                if usual and (cell.model, cell.evaluation) == place:
                    own.setdefault(cell.time_steps, cell)
            order = list(dict.fromkeys(cell.system for cell in group))
            group.sort(key=lambda cell: (order.index(cell.system), cell.time_steps))
            found.append([*(own[steps] for steps in sorted(own)), *group])
        return found

    def sweep(self, over: str) -> list[list[CellResult]]:
        """Cells that differ in one setting only, per model and evaluation; frugal ones in none.

        Of several cells with the same T and H the first one counts.

        Args:
            over: "time_steps" or "levels"; the other one is held at the value that gives the
                longest sweep (the largest such value on a tie).

        Returns:
            sweeps of at least two cells, in rising order of the setting.
        """
        held = "levels" if over == "time_steps" else "time_steps"
        groups: dict[tuple[str, ...], dict[int, dict[int, CellResult]]] = {}
        for cell in self.cells:
            if cell.budget is not None:
                continue
            name = cell.model, cell.evaluation, cell.vision, label(cell)
            by_held = groups.setdefault(name, {})
            by_held.setdefault(getattr(cell, held), {}).setdefault(getattr(cell, over), cell)
        longest = [
            max(by_held.items(), key=lambda item: (len(item[1]), item[0]))[1]
            for by_held in groups.values()
        ]
        return [[cells[x] for x in sorted(cells)] for cells in longest if len(cells) > 1]


def load_results(results_dir: Path, cells: Iterable[Mapping[str, str]]) -> Results:
    """Read `<results_dir>/<model>/<neuron>/<evaluation>/*.json` for every cell.

    Args:
        results_dir: root of the results tree.
        cells: mappings with the keys "model", "neuron" and "evaluation".

    Returns:
        the results; cells without an evaluation.json are named in `missing`, those of which a file
        is not what the pipeline writes in `damaged`.
    """
    found = []
    missing = []
    damaged = []
    for cell in cells:
        name = f"{cell['model']}/{cell['neuron']}/{cell['evaluation']}"
        directory = results_dir / name
        if not (directory / "evaluation.json").exists():
            missing.append(name)
            continue
        try:
            found.append(load_cell(directory, cell))
        except ValueError as error:
            damaged.append(f"{name} ({error.__cause__!r})")
    return gathered(found, missing, damaged)


def gathered(
    found: Iterable[OriginalResult], missing: Iterable[str] = (), damaged: Iterable[str] = ()
) -> Results:
    """The results of cells, each among its kind.

    Args:
        found: of each cell what `load_cell` read.
        missing: names of the cells without results.
        damaged: names of those whose results cannot be read.
    """
    cells: list[CellResult] = []
    originals: list[OriginalResult] = []
    ablations: list[CellResult] = []
    baselines: list[BaselineResult] = []
    for result in found:
        if isinstance(result, CellResult):
            (ablations if result.ablation else cells).append(result)
        elif isinstance(result, BaselineResult):
            baselines.append(result)
        else:
            originals.append(result)
    return Results(
        tuple(cells),
        tuple(missing),
        tuple(originals),
        ablations=tuple(ablations),
        baselines=tuple(baselines),
        damaged=tuple(damaged),
    )


def load_cell(directory: Path, cell: Mapping[str, str]) -> OriginalResult:
    """Read evaluation.json, and energy.json and spikes.json where they are, of one cell.

    Args:
        directory: where they lie.
        cell: its names, see `load_results`.

    Raises:
        ValueError: a file is not what the pipeline writes.
    """
    try:
        evaluation = _read(directory / "evaluation.json")
        energy = directory / "energy.json"
        spikes = directory / "spikes.json"
        title = evaluation["model"].get("title", cell["model"])
        neuron = evaluation["neuron"]
        vision: Vision = "spiking" if neuron is None else neuron.get("vision", "spiking")
        note = ", analog vision" if vision == "analog" else ""
        original = OriginalResult(
            model=cell["model"],
            neuron=cell["neuron"],
            evaluation=cell["evaluation"],
            title=title + note,
            row=evaluation["model"].get("row", title) + note,
            scores=tuple(Score.from_dict(score) for score in evaluation["scores"]),
        )
        if neuron is None:
            return original
        if any(score.snn is None for score in original.scores):
            raise ValueError("there are neurons, and no score of a spiking model")
        estimated = EnergyReport.from_dict(_read(energy)) if energy.exists() else None
        if "method" in neuron:
            return BaselineResult(
                **vars(original),
                method=neuron["method"],
                time_steps=neuron["time_steps"],
                tuning_steps=neuron.get("tuning_steps", 0),
                energy=estimated,
            )
        counted = _read(spikes) if spikes.exists() else None
        return CellResult(
            **vars(original),
            time_steps=neuron["time_steps"],
            levels=neuron["levels"],
            rounding=neuron["rounding"],
            vision=vision,
            threshold_rule=neuron.get("threshold_rule", "error"),
            budget=neuron.get("budget"),
            ablation=ablation_of(neuron),
            energy=estimated,
            spikes=None if counted is None else SpikeTally.from_dict(counted),
            stopped=_stopped(counted or {}),
        )
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"{directory} does not hold the results of an evaluation ({error!r}). "
            "Delete it and run the evaluate stage of this cell again."
        ) from error


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _distance(cell: CellResult) -> tuple[bool, int, int, bool]:
    return label(cell) != LAS, abs(cell.time_steps - 16), abs(cell.levels - 5), not cell.plain


def _stopped(counted: Mapping[str, Any]) -> dict[int, SpikeTally]:
    """What was counted for scores after t time steps, by t."""
    return {
        int(metric.removeprefix(AFTER)): SpikeTally.from_dict(spikes)
        for metric, spikes in counted.get("scores", {}).items()
    }
