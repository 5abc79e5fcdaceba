"""How often neurons fire: what was counted in converted models, shipped as data.

`measured_rates.json` holds sums over the sites and operations of the models of the published grid,
as their `spikes.json` counted them on held-out data. It is written by

    python -m las.planning.rates results data/spiking
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from las.config import SpikeConfig
from las.fitting.model_functions import FittedFunctions
from las.neurons.tally import SpikeTally

FILE = Path(__file__).parent / "measured_rates.json"


@dataclass(frozen=True)
class Record:
    """What one evaluation of one converted model counted.

    Attributes:
        model: its title.
        evaluation: what it ran on.
        tokens: how many of them.
        time_steps: T.
        levels: H; all other options are the defaults.
        sites: spikes and activations by role, see `role`.
        operations: synaptic operations, and what they are in proportion to, by kind.
        functions: sub-neurons of each HG function.
    """

    model: str
    evaluation: str
    tokens: int
    time_steps: int
    levels: int
    sites: dict[str, tuple[int, int]]
    operations: dict[str, tuple[int, int]]
    functions: dict[str, int]


@dataclass(frozen=True)
class Rates:
    """Means over records.

    Attributes:
        spikes: spikes per activation by role.
        sops: synaptic operations per multiply-accumulate by kind of operation; of activations, per
            scalar.
        functions: sub-neurons of each HG function.
        sources: where they come from.
    """

    spikes: dict[str, float]
    sops: dict[str, float]
    functions: dict[str, float]
    sources: tuple[str, ...]

    def of(self, role: str) -> float:
        """Spikes per activation; that of all neurons of the kind where a role was never counted."""
        if role in self.spikes:
            return self.spikes[role]
        kind = role.partition(" ")[0].partition(":")[0]
        known = [rate for name, rate in self.spikes.items() if name.startswith(kind)]
        return sum(known) / len(known)

    def work(self, kind: str) -> float:
        """Synaptic operations per multiply-accumulate, or per scalar of an activation.

        Where none was counted they follow from the neurons: an activation's spikes are read once,
        and those of both factors of a Hadamard product.
        """
        if kind in self.sops:
            return self.sops[kind]
        return {"activation": self.of("hg"), "hadamard": self.of("hg") + self.of("oat")}[kind]


def role(name: str, kind: str) -> str:
    """What rates have in common: an HG neuron's function, or an OAT neuron's place.

    Arguments:
        name: of a site.
        kind: "oat" or "hg:<function>".
    """
    return f"oat {name.rpartition('.')[2]}" if kind == "oat" else kind


def measured(time_steps: int, levels: int, records: Sequence[Record] | None = None) -> Rates | None:
    """The rates of neurons with so many steps and levels, or None where none were counted.

    Arguments:
        time_steps: T.
        levels: H.
        records: those that are shipped, if not given.
    """
    chosen = [
        record
        for record in (shipped() if records is None else records)
        if (record.time_steps, record.levels) == (time_steps, levels)
    ]
    if not chosen:
        return None
    return Rates(
        _ratios(record.sites for record in chosen),
        _ratios(record.operations for record in chosen),
        _ratios({name: (size, 1) for name, size in record.functions.items()} for record in chosen),
        tuple(
            f"{record.model}, {record.evaluation}, {record.tokens:,} tokens" for record in chosen
        ),
    )


def _ratios(sums: Any) -> dict[str, float]:
    above, below = Counter[str](), Counter[str]()
    for one in sums:
        for name, (part, whole) in one.items():
            above[name] += part
            below[name] += whole
    return {name: above[name] / below[name] for name in above if below[name]}


def shipped() -> list[Record]:
    """The records of `measured_rates.json`."""
    return [
        Record(**{**data, **{part: _pairs(data[part]) for part in ("sites", "operations")}})
        for data in json.loads(FILE.read_text())
    ]


def _pairs(sums: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, int]]:
    return {name: (part, whole) for name, (part, whole) in sums.items()}


def gather(results: Path, spiking_models: Path) -> Iterator[Record]:
    """Read the records of a grid.

    Arguments:
        results: its scores and spikes, <model>/<neuron>/<evaluation>/spikes.json.
        spiking_models: its neurons, <model>/neurons/<neuron>/functions.safetensors.

    Neurons with other options than T and H are left out, published conversions, and evaluations
    that stop neurons early.
    """
    for file in sorted(results.glob("*/*/*/spikes.json")):
        found = json.loads((file.parent / "evaluation.json").read_text())
        neuron = found["neuron"]
        if "method" in neuron:  # a published conversion, see `las.baselines`
            continue
        usual = asdict(SpikeConfig(time_steps=neuron["time_steps"], levels=neuron["levels"]))
        if found["evaluation"] == "anytime" or usual != usual | neuron:
            continue
        tally = SpikeTally.from_dict(json.loads(file.read_text()))
        sites: dict[str, Counter[str]] = {}
        for name, site in tally.sites.items():
            sums = sites.setdefault(role(name, site.kind), Counter())
            sums.update(above=site.spikes, below=site.activations)
        operations: dict[str, Counter[str]] = {}
        for op in tally.operations.values():
            sums = operations.setdefault(op.kind, Counter())
            base = sum(op.nonlinear.values()) if op.kind == "activation" else op.macs
            sums.update(above=op.sops, below=base)
        model, name = file.parts[-4:-2]
        fitted = FittedFunctions.load(
            spiking_models / model / "neurons" / name / "functions.safetensors"
        )
        yield Record(
            found["model"]["title"],
            found["evaluation"],
            tally.tokens,
            neuron["time_steps"],
            neuron["levels"],
            {name: (sums["above"], sums["below"]) for name, sums in sorted(sites.items())},
            {name: (sums["above"], sums["below"]) for name, sums in sorted(operations.items())},
            {name: one.size for name, one in sorted(fitted.neurons.items())},
        )


if __name__ == "__main__":
    records = [asdict(record) for record in gather(Path(sys.argv[1]), Path(sys.argv[2]))]
    lines = ",\n".join(json.dumps(record) for record in records)
    FILE.write_text(f"[\n{lines}\n]\n")
