"""The figures of the published grid in small files: DVC's metrics.

metrics/<model>.json belongs to the repository: it is what `dvc metrics diff` and
`python -m pipeline.reproduced` compare with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from las.files.atomic import atomic_file
from pipeline.params import Grid


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
