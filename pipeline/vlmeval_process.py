"""The suite of VLMEvalKit in a process of its own, with an interpreter that has that package.

VLMEvalKit changes the process that imports it, and lives in the environment that `make vlm` makes.
`python -m pipeline.evaluate` comes here by itself; nobody has to call this.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from omegaconf import DictConfig, OmegaConf

from pipeline import scoring
from pipeline.paths import ROOT

ENVIRONMENT = ROOT / ".venv-vlm"
SUITE = "las.evaluation.suites.vlmeval.VLMEval"


def interpreter() -> str:
    """Return the Python that has VLMEvalKit: this one, or else that of `make vlm`.

    Raises:
        MissingExtraError: Neither has it; the message says how to install it.
    """
    python = ENVIRONMENT / "bin" / "python"
    if importlib.util.find_spec("vlmeval") is not None:
        return sys.executable
    if not python.exists():
        from las.errors import MissingExtraError
        from las.evaluation.vlmeval.environment import INSTALL

        raise MissingExtraError(INSTALL)
    return str(python)


def score(cfg: DictConfig) -> None:
    """Do what `scoring.score` does in another process.

    Raises:
        MissingExtraError: No interpreter has VLMEvalKit.
        LasError: The other process failed, and has said why.
    """
    python = interpreter()
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [python, "-m", "pipeline.vlmeval_process"],
        input=OmegaConf.to_yaml(cfg, resolve=True),
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    if done.returncode:
        from las.errors import LasError

        raise LasError(f"the evaluation failed in {python}: see its message above")


def main() -> None:
    """Score the cell whose configuration comes on the standard input."""
    from las.evaluation.processes import ALONE

    cfg = OmegaConf.create(sys.stdin.read())
    assert isinstance(cfg, DictConfig)
    scoring.score(cfg, ALONE)


if __name__ == "__main__":
    main()
