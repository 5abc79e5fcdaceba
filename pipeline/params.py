"""The published grid of params.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

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
            entry = self.models[model]
            neurons = ",".join(entry["neurons"])
            return [[f"model={model}", f"calibration={entry['calibration']}", f"neuron={neurons}"]]
        return [
            [
                f"model={model}",
                f"evaluation={suite}",
                f"neuron={','.join(self.neurons(model, suite))}",
            ]
            for suite in self.models[model]["suites"]
        ]
