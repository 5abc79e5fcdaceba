"""The figures of the published grid in small files: DVC's metrics and plots.

metrics/<model>.json belongs to the repository: it is what `dvc metrics diff` and
`python -m pipeline.reproduced` compare with.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from las.files.atomic import atomic_directory, atomic_file
from pipeline.params import Grid

SWEEPS = ("time_steps", "levels")


def metrics_file(root: Path, model: str) -> Path:
    """Where the figures of a model are."""
    return root / "metrics" / f"{model}.json"


def write_metrics(root: Path, grid: Grid, model: str) -> None:
    """Write every number that was scored and the totals of what was counted, by cell."""
    metrics: dict[str, Any] = {}
    for cell in grid.cells():
        if cell["model"] == model:
            metrics.setdefault(cell["neuron"], {})[cell["evaluation"]] = _figures(root, cell)
    file = metrics_file(root, model)
    with atomic_file(file) as partial:
        partial.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


def write_sweeps(root: Path, grid: Grid) -> None:
    """Write sweeps/<setting>/<model>-<suite>.csv: what T (or H) costs in loss and in energy.

    In a sweep one of the two settings varies and the other is the paper's, T = 16 or H = 5. The
    loss is the largest change of a metric, in percent of the original's value.
    """
    usual = {"time_steps": 16, "levels": 5}
    rows: dict[tuple[str, str], list[tuple[int, float, float]]] = {}
    for cell in grid.cells():
        if not _file(root, cell, "energy").exists():
            continue  # the report names it as missing
        evaluation = _read(root, cell, "evaluation")
        neuron = evaluation["neuron"]
        if "method" in neuron or neuron["vision"] == "analog":
            continue
        changes = [100 * abs(s["snn"] / s["ann"] - 1) for s in evaluation["scores"] if s["ann"]]
        ratio = _read(root, cell, "energy")["total"]["ratio"]
        for setting, held in (SWEEPS, SWEEPS[::-1]):
            if neuron[held] == usual[held]:
                name = f"{cell['model']}-{cell['evaluation']}"
                row = (neuron[setting], max(changes, default=0.0), ratio)
                rows.setdefault((setting, name), []).append(row)
    for setting in SWEEPS:
        with atomic_directory(root / "sweeps" / setting) as folder:
            for (swept, name), sweep in rows.items():
                if swept == setting and len(sweep) > 1:
                    path = folder / f"{name}.csv"
                    with path.open("w", encoding="utf-8", newline="") as file:
                        writer = csv.writer(file, lineterminator="\n")
                        writer.writerow([setting, "largest_change_percent", "energy_ratio"])
                        writer.writerows(sorted(sweep))


def _figures(root: Path, cell: dict[str, str]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for score in _read(root, cell, "evaluation")["scores"]:
        numbers = {**score, **score["extra"]}
        for name in ("task", "metric", "higher_is_better", "extra"):
            del numbers[name]
        of_task = figures.setdefault(score["task"], {})
        of_task[score["metric"]] = {k: v for k, v in numbers.items() if v is not None}
    total = _read(root, cell, "energy")["total"]
    figures["energy"] = {k: v for k, v in total.items() if isinstance(v, int | float)}
    sites = _read(root, cell, "spikes")["sites"].values()
    for name in ("activations", "spikes", "out_of_range"):
        figures["energy"][name] = sum(site[name] for site in sites)
    return figures


def _read(root: Path, cell: dict[str, str], name: str) -> Any:
    return json.loads(_file(root, cell, name).read_text(encoding="utf-8"))


def _file(root: Path, cell: dict[str, str], name: str) -> Path:
    folder = root / "results" / cell["model"] / cell["neuron"] / cell["evaluation"]
    return folder / f"{name}.json"
