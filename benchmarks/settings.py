"""How a run of the suite is to measure, and where it finds and leaves things."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

NEURON = "t16h5"
"""The cell of the grid whose adapters are measured: T = 16, H = 5."""


class MissingInputError(FileNotFoundError):
    """A model, an adapter or the statistics of one are not there."""


@dataclass(frozen=True)
class Settings:
    """The options of the command.

    Attributes:
        models: directory of the original models.
        results: directory of the adapters and statistics that `make repro` made of them.
        output: directory of what is measured.
        repeats: rounds of each case, after one that warms up.
        limit: seconds after which a case that has its fewest rounds begins no other.
        threads: of torch and of the kernels.
    """

    models: Path
    results: Path
    output: Path
    repeats: int
    limit: float
    threads: int

    def model(self, name: str) -> Path:
        """The directory of an original model."""
        return self.models / name

    def adapter(self, name: str) -> Path:
        """The directory of its adapter."""
        return self.results / name / "neurons" / NEURON / "adapter"

    def statistics(self, name: str) -> Path:
        """The file of its calibration statistics."""
        return self.results / name / "statistics.safetensors"

    def check_inputs(self, names: Iterable[str]) -> None:
        """Look for everything that measuring these models needs.

        Raises:
            MissingInputError: something is not there; the message says how to make it.
        """
        for name in names:
            for path in (self.model(name), self.adapter(name), self.statistics(name)):
                if not path.exists():
                    raise MissingInputError(
                        f"{path} is missing. Make it with `make repro`, or name other directories "
                        "with --models and --results"
                    )

    def to_json(self) -> str:
        """As one argument of a command line."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Inverse of `to_json`."""
        data = json.loads(text)
        paths = {key: Path(data[key]) for key in ("models", "results", "output")}
        return cls(**{**data, **paths})
