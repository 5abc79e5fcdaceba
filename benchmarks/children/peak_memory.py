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


def begin_new_peak() -> None:
    """Give back what has been freed, and forget how much there was."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Print the peak of loading, what is resident then, and the peak of the passes."""
    arguments = json.loads(sys.argv[1])
    settings = Settings.from_json(arguments["settings"])
    torch.set_num_threads(settings.threads)
    load = load_spiking if arguments["spiking"] else load_original
    model = load(settings, arguments["model"])
    ids = random_tokens(model, 1, arguments["length"])
    with torch.no_grad():
        model(input_ids=ids[:, :1], use_cache=False)  # weights are mapped, not read, until used
        loading = resident("VmHWM")
        begin_new_peak()
        loaded = resident("VmRSS")
        for _ in range(2):
            model(input_ids=ids, use_cache=False)
    running = resident("VmHWM")
    print(json.dumps({"loading": loading, "loaded": loaded, "running": running}))


if __name__ == "__main__":
    main()
