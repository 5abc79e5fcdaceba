"""The published grid of params.yaml, and a stage for all cells of one of its models.

Every stage is a Hydra app for one cell, with Hydra's multirun (-m) for many. This runs it over the
neurons and suites that params.yaml gives a model, all in one process:

python -m pipeline.grid convert minilm-l6
python -m pipeline.grid evaluate minilm-l6
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STAGES = ("convert", "evaluate")
SOURCES = ("fetched", "trained", "fine_tuned")
"""The headings of params.yaml; its `models` are the entries below all of them, for DVC."""


@dataclass(frozen=True)
class Grid:
    """What params.yaml says.

    Attributes:
        models: by name: `neurons`, and `suites` with the neurons that each runs with, or "all".
    """

    models: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, root: Path) -> Grid:
        """Read the file below a root."""
        parameters = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        return cls(
            {name: entry for source in SOURCES for name, entry in parameters[source].items()}
        )

    def neurons(self, model: str, suite: str) -> list[str]:
        """The neurons with which a suite runs."""
        chosen = self.models[model]["suites"][suite]
        return list(self.models[model]["neurons"] if chosen == "all" else chosen)

    def cells(self) -> Iterator[dict[str, str]]:
        """Every cell: its `model`, `neuron` and `evaluation`."""
        for model, entry in self.models.items():
            for suite in entry["suites"]:
                for neuron in self.neurons(model, suite):
                    yield {"model": model, "neuron": neuron, "evaluation": suite}

    def sweeps(self, stage: str, model: str) -> list[list[str]]:
        """The overrides of each multirun that a stage needs for a model."""
        if stage == "convert":
            return [[f"model={model}", f"neuron={','.join(self.models[model]['neurons'])}"]]
        return [
            [
                f"model={model}",
                f"evaluation={suite}",
                f"neuron={','.join(self.neurons(model, suite))}",
            ]
            for suite in self.models[model]["suites"]
        ]


def main() -> None:
    """Run the stage and the model of the command line; further arguments go to Hydra."""
    arguments = sys.argv[1:]
    grid = Grid.read(Path())
    if len(arguments) < 2 or arguments[0] not in STAGES or arguments[1] not in grid.models:
        sys.exit(
            f"usage: python -m pipeline.grid ({' | '.join(STAGES)}) MODEL [HYDRA'S OVERRIDES]\n"
            f"models of params.yaml: {', '.join(grid.models)}"
        )
    stage, model, *overrides = arguments
    app = importlib.import_module(f"pipeline.{stage}")
    for sweep in grid.sweeps(stage, model):
        sys.argv = [f"pipeline.{stage}", "--multirun", *sweep, *overrides]
        print(f"python -m {' '.join(sys.argv)}", flush=True)
        app.main()
    if stage == "evaluate":
        from pipeline.published import write_metrics

        write_metrics(Path(), grid, model)


if __name__ == "__main__":
    main()
