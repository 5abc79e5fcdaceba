"""What became of the cells of a sweep: kept by every launcher in the sweep's directory.

python -m pipeline.progress                # of the newest sweep below outputs/
python -m pipeline.progress DIRECTORY      # of one of them
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

FILE = "cell.json"
"""In the directory of each cell, which Hydra makes below that of the sweep."""
SWEEP = "sweep.json"
OUTPUTS = Path("outputs")

_begun: list[Path] = []  # the sweeps of this process


@dataclass(frozen=True)
class State:
    """Of one cell.

    Attributes:
        name: its model, neuron and evaluation.
        state: running, finished or failed.
        since: when it began, in seconds since the epoch.
        seconds: how long it took; None as long as it runs.
        error: what ended it, as text; None if nothing did.
    """

    name: str
    state: str
    since: float
    seconds: float | None = None
    error: str | None = None

    def __str__(self) -> str:
        took = "" if self.seconds is None else f" ({self.seconds:,.0f} s)"
        reason = f": {self.error.splitlines()[0]}" if self.error else ""
        return f"{self.state}{took} {self.name}{reason}"


class Progress(Callback):
    """Keeps the state of every cell; Hydra calls it where the cell runs, whatever launches it.

    Where several processes make a cell together, the first of them keeps it.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Note how many cells there are."""
        if not _first():
            return
        place = Path(config.hydra.sweep.dir)
        _write(place / SWEEP, {"cells": _count(config)})
        _begun.append(place)

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Note that a cell runs."""
        if _in_sweep(config) and _first():
            state = State(_name(config), "running", time.time())
            _write(_place(config) / FILE, asdict(state))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Note how a cell ended, and say how far the sweep is."""
        if not (_in_sweep(config) and _first()):
            return
        file = _place(config) / FILE
        since = State(**json.loads(file.read_text())).since
        failed = job_return.status != JobStatus.COMPLETED
        error = None
        if failed and isinstance(reason := job_return._return_value, BaseException):
            error = f"{type(reason).__name__}: {reason}"
            text = "".join(traceback.format_exception(reason))
            (file.parent / "error.txt").write_text(text)
        ended = State(
            _name(config), "failed" if failed else "finished", since, time.time() - since, error
        )
        _write(file, asdict(ended))
        print(f"[{headline(Path(config.hydra.sweep.dir))}] {ended}", flush=True)


def states(sweep: Path) -> list[State]:
    """Of the cells that have begun, in their order."""
    files = sorted(sweep.glob(f"*/{FILE}"), key=lambda file: (len(file.parent.name), file))
    return [State(**json.loads(file.read_text())) for file in files]


def headline(sweep: Path) -> str:
    """How many cells of a sweep are finished, failed and running."""
    total = json.loads((sweep / SWEEP).read_text())["cells"]
    known = [state.state for state in states(sweep)]
    counted = {name: known.count(name) for name in ("finished", "failed", "running")}
    parts = [f"{number} {name}" for name, number in counted.items() if number]
    return ", ".join(parts or ["none begun"]) + f" of {total}"


def swept(config: DictConfig, overrides: Iterable[str]) -> dict[str, list[str]]:
    """The overrides that a sweep goes through, by key; one where it does not change.

    Args:
        config: Hydra's own among it, whose sweeper may have parameters.
        overrides: those of the command line; the last one of a key counts.
    """
    params = config.hydra.sweeper.get("params") or {}
    texts = [*(f"{key}={value}" for key, value in params.items()), *overrides]
    values: dict[str, list[str]] = {}
    for text, one in zip(texts, OverridesParser.create().parse_overrides(texts), strict=True):
        key = one.get_key_element()
        values[key] = [text]
        if one.is_sweep_override():
            values[key] = [f"{key}={value}" for value in one.sweep_string_iterator()]
    return values


def told(app: Callable[[], None]) -> None:
    """Run a Hydra app; after a sweep, list what failed."""
    begun = len(_begun)
    try:
        app()
    finally:
        for sweep in _begun[begun:]:
            print("\n".join(_summary(sweep)), flush=True)


def newest(outputs: Path = OUTPUTS) -> Path:
    """The directory of the newest sweep.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sorted(outputs.rglob(SWEEP), key=lambda file: file.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"no sweep has begun below {outputs.resolve()}")
    return found[-1].parent


def main() -> None:
    """Print the progress of a sweep."""
    try:
        sweep = Path(sys.argv[1]) if len(sys.argv) > 1 else newest()
        print(f"{sweep}: {headline(sweep)}")
    except FileNotFoundError as error:
        sys.exit(str(error))
    for state in states(sweep):
        print(f"  {state}")


def _summary(sweep: Path) -> Iterator[str]:
    yield f"{sweep}: {headline(sweep)}"
    failed = [state for state in states(sweep) if state.state == "failed"]
    yield from (f"  {state}" for state in failed)
    if failed:
        yield f"Where they failed: {sweep}/*/error.txt. Run the same again: what is finished stays."


def _in_sweep(config: DictConfig) -> bool:
    return str(config.hydra.mode).endswith("MULTIRUN")


def _first() -> bool:
    """Whether this is the first of the processes that `accelerate launch` starts, or alone."""
    return os.environ.get("RANK", "0") == "0"


def _place(config: DictConfig) -> Path:
    return Path(config.hydra.runtime.output_dir)


def _name(config: DictConfig) -> str:
    return f"{config.model.name} {config.neuron.name} {config.evaluation.name}"


def _count(config: DictConfig) -> int:
    """How many cells the sweeper will make of the overrides."""
    return math.prod(map(len, swept(config, config.hydra.overrides.task).values()))


def _write(file: Path, content: dict[str, Any]) -> None:
    from las.files.atomic import atomic_file

    with atomic_file(file) as partial:
        partial.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
