"""How fast neurons are on GPUs: what the benchmarks measured, shipped as data.

`measured_speeds.json` has an entry for each kind of GPU that they ran on. It is written by

    python -m las.planning.speeds benchmarks/data/gpu.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from las.config import SpikeConfig

FILE = Path(__file__).parent / "measured_speeds.json"


@dataclass(frozen=True)
class NeuronSpeed:
    """How long neurons took on one GPU.

    Attributes:
        gpu: its name, as its driver tells it.
        time_steps: T.
        levels: H.
        oat: seconds that an OAT neuron takes for all T steps.
        hg: the same for an HG neuron.
        date: of the measurement.
    """

    gpu: str
    time_steps: int
    levels: int
    oat: float
    hg: float
    date: str


def measured_on(
    card: str, config: SpikeConfig, speeds: Sequence[NeuronSpeed] | None = None
) -> NeuronSpeed | None:
    """What was measured on a kind of GPU, or None where nothing was.

    Arguments:
        card: a part of its name, e.g. "H200".
        config: T and H.
        speeds: those that are shipped, if not given.
    """
    for one in shipped() if speeds is None else speeds:
        if card in one.gpu and (one.time_steps, one.levels) == (config.time_steps, config.levels):
            return one
    return None


def shipped() -> list[NeuronSpeed]:
    """The entries of `measured_speeds.json`."""
    return [NeuronSpeed(**entry) for entry in json.loads(FILE.read_text(encoding="utf-8"))]


def read(record: Path) -> NeuronSpeed:
    """The speed of neurons in a record of the benchmarks' section gpu.

    Raises:
        ValueError: no neurons were measured there.
    """
    found = json.loads(record.read_text(encoding="utf-8"))
    environment = found["environment"]
    for case in found["cases"]:
        if case["name"] == "neurons" and case["series"] and environment["gpu"]:
            (oat,), (hg,) = case["series"]["oat"], case["series"]["hg"]
            sizes = case["parameters"]
            return NeuronSpeed(
                environment["gpu"],
                sizes["time_steps"],
                sizes["levels"],
                oat,
                hg,
                environment["date"].partition("T")[0],
            )
    raise ValueError(
        f"{record} has no speed of neurons: run `python -m benchmarks --only gpu` on a machine "
        "with a GPU first"
    )


def add(speed: NeuronSpeed, speeds: Sequence[NeuronSpeed]) -> list[NeuronSpeed]:
    """Speeds with another one, in the place of that of the same GPU and neurons, by name."""
    kept = {(one.gpu, one.time_steps, one.levels): one for one in (*speeds, speed)}
    return [kept[key] for key in sorted(kept)]


if __name__ == "__main__":
    entries = [asdict(one) for one in add(read(Path(sys.argv[1])), shipped())]
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
