"""A stage for all cells of a model of the published grid.

Every stage is a Hydra app for one cell, with Hydra's multirun (-m) for many. This runs it over the
neurons and suites that params.yaml gives a model, all in one process:

python -m pipeline.grid convert minilm-l6
python -m pipeline.grid evaluate minilm-l6
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from pipeline.params import Grid
from pipeline.published import write_metrics

STAGES = ("convert", "evaluate")


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
    failed = []
    for sweep in grid.sweeps(stage, model):
        sys.argv = [f"pipeline.{stage}", "--multirun", *sweep, *overrides]
        command = f"python -m {' '.join(sys.argv)}"
        print(command, flush=True)
        try:
            app.main()
        except SystemExit:  # Hydra has said why; the other sweeps are none the worse
            failed.append(command)
    if failed:
        sys.exit("\n".join(["Some cells failed; their errors are above. Of", *failed]))
    if stage == "evaluate":
        write_metrics(Path(), grid, model)


if __name__ == "__main__":
    main()
