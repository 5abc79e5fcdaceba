"""What a section measured, as data on disk: every single measurement, and where it was taken."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.ratios import Spread, noise_ratios, pairwise_ratios


@dataclass(frozen=True)
class Comparison:
    """Which series of a case is held against which.

    Attributes:
        label: what the table calls it.
        measured: name of a series.
        reference: name of another series, or None where the absolute figure is the result.
    """

    label: str
    measured: str
    reference: str | None = None


SNN = Comparison("SNN / ANN", "snn", "ann")
COUNTING = Comparison("SNN counting / ANN", "counting", "ann")


@dataclass(frozen=True)
class Case:
    """One thing measured several times in several variants.

    Attributes:
        name: what the table calls it.
        series: the measurements of each variant; the i-th ones were taken in the same round.
        comparisons: what the table and the plots show of it.
        unit: of the measurements.
        parameters: the sizes that make this case, for plots.
        tokens: how many tokens one measurement works through, where a rate is of interest.
        unmeasured: why there is no series.
    """

    name: str
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    unit: str = "s"
    parameters: Mapping[str, int] = field(default_factory=dict)
    tokens: int | None = None
    unmeasured: str | None = None

    def ratios(self, comparison: Comparison) -> Spread | None:
        """The pairwise ratios of a comparison; None where it has no reference."""
        if comparison.reference is None:
            return None
        reference = self.series[comparison.reference]
        return Spread.of(pairwise_ratios(self.series[comparison.measured], reference))

    def noise(self, comparison: Comparison) -> Spread | None:
        """The reference over itself, round by round; None where there are no two rounds of it."""
        if comparison.reference is None or len(self.series[comparison.reference]) < 2:
            return None
        return Spread.of(noise_ratios(self.series[comparison.reference]))


@dataclass(frozen=True)
class Record:
    """All that one run of a section leaves behind.

    Attributes:
        section: its name.
        environment: machine, versions and settings of the process that measured.
        cases: what was measured.
    """

    section: str
    environment: Mapping[str, Any]
    cases: Sequence[Case]

    def write(self, directory: Path) -> Path:
        """Write `<section>.json`, whole or not at all."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.section}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1) + "\n")
        partial.replace(path)
        return path

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read what `write` wrote."""
        data = json.loads(path.read_text())
        return cls(data["section"], data["environment"], [_case(one) for one in data["cases"]])


def _case(data: dict[str, Any]) -> Case:
    comparisons = tuple(Comparison(**one) for one in data.pop("comparisons"))
    return Case(comparisons=comparisons, **data)


def read_records(directory: Path, sections: Sequence[str]) -> list[Record]:
    """The stored records of those of `sections` that have been measured, in that order."""
    paths = [directory / f"{name}.json" for name in sections]
    return [Record.read(path) for path in paths if path.exists()]
