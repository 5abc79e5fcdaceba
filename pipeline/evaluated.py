"""What was evaluated, whoever asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def evaluated_cells(root: Path) -> Iterator[dict[str, str]]:
    """Every cell below results/, by the names of its model, neuron and evaluation, in their order.

    A cell is there once its scores are: results/<model>/<neuron>/<evaluation>/evaluation.json.
    """
    for file in sorted((root / "results").glob("*/*/*/evaluation.json")):
        model, neuron, evaluation = file.parts[-4:-1]
        yield {"model": model, "neuron": neuron, "evaluation": evaluation}
