"""The memory of a process that loads one model and runs it."""

from __future__ import annotations

import ctypes
import json
import re
import sys
from pathlib import Path

import torch

from benchmarks.models import load_original, load_spiking, random_tokens
from benchmarks.settings import Settings


def resident(field: str) -> float:
    """Resident memory in MiB: `VmRSS` is the present, `VmHWM` the peak.

    The peak that `getrusage` tells would begin with that of the parent process.
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def forget_loading() -> None:
    """Give back what loading has freed, and begin a new peak."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Print the peak of the process, and the resident memory before and the peak in the passes."""
    arguments = json.loads(sys.argv[1])
    settings = Settings.from_json(arguments["settings"])
    torch.set_num_threads(settings.threads)
    load = load_spiking if arguments["spiking"] else load_original
    model = load(settings, arguments["model"])
    ids = random_tokens(model, arguments["batch"], arguments["length"])
    loading = resident("VmHWM")
    forget_loading()
    before = resident("VmRSS")
    with torch.no_grad():
        for _ in range(2):
            model(input_ids=ids, use_cache=False)
    running = resident("VmHWM")
    print(json.dumps({"peak": max(loading, running), "before": before, "over": running - before}))


if __name__ == "__main__":
    main()
