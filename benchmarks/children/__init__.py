"""Programs that measure something about a process of their own; each prints JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Mapping
from typing import Any

from benchmarks.environment import ROOT, measuring_environment


def run_child(
    module: str,
    arguments: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    without: Collection[str] = (),
) -> dict[str, Any]:
    """Run a module of this package in a fresh process.

    Arguments:
        module: its name, e.g. "peak_memory".
        arguments: plain data that it reads as JSON.
        environment: variables to set beside the usual ones.
        without: variables to leave out.

    Returns:
        What it printed on its last line.

    Raises:
        RuntimeError: it failed; the message is what it wrote to stderr.
    """
    command = [sys.executable, "-m", f"benchmarks.children.{module}", json.dumps(arguments)]
    variables = {**measuring_environment(), **(environment or {})}
    for name in without:
        variables.pop(name, None)
    finished = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    if finished.returncode:
        raise RuntimeError(f"benchmarks.children.{module} failed:\n{finished.stderr}")
    return json.loads(finished.stdout.splitlines()[-1])
