"""Where a measurement was taken: machine, versions, and what else bears on time."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}
"""Freed memory stays with the process, as in the Makefile; otherwise glibc takes every large tensor
from the system anew, and page faults cost originals and spiking models alike more than arithmetic.
"""


def measuring_environment() -> dict[str, str]:
    """The environment variables of a process that measures; what the user has set stays."""
    return {**MALLOC, "TOKENIZERS_PARALLELISM": "false", **os.environ}


def describe_environment() -> dict[str, Any]:
    """The environment of this process, best asked for when its measurements are done.

    numba names its threading layer only once a parallel kernel has run.
    """
    import numba
    import torch
    import transformers

    try:
        layer = numba.threading_layer()
    except ValueError:
        layer = "none started"
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "simd": torch.backends.cpu.get_cpu_capability(),
        "gpu": _gpu(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": numba.__version__,
        "numba_threading_layer": layer,
        "transformers": transformers.__version__,
        "malloc": {name: os.environ.get(name) for name in MALLOC},
        "revision": _revision(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": load_average(),
    }


def load_average() -> tuple[float, float, float] | None:
    """Running processes, mean of the last 1, 5 and 15 minutes, where the system tells."""
    return os.getloadavg() if hasattr(os, "getloadavg") else None


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu() -> str | None:
    """The GPU's name; one that has stopped answering costs no measurement."""
    import torch

    if not torch.cuda.is_available():
        return None
    try:
        return torch.cuda.get_device_name()
    except RuntimeError:
        return "one that does not answer"


def _revision() -> str | None:
    """The Git revision, marked where files differ from it; None outside of a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        finished = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return finished.stdout.strip()
