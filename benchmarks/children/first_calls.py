"""How much longer the first passes of a process take than the second ones."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

import las
from benchmarks.models import load_spiking, random_tokens
from benchmarks.rounds import seconds
from benchmarks.settings import Settings


def run_all(model: Any, length: int) -> None:
    """Run passes that between them call every build of the kernels: many tokens, counted, one."""
    ids = random_tokens(model, 1, length)
    model(input_ids=ids)
    with las.count_spikes(model):
        model(input_ids=ids)
    model(input_ids=ids[:, :1])
    with las.count_spikes(model):
        model(input_ids=ids[:, :1])


def main() -> None:
    """Print the seconds of the first and of the second call."""
    arguments = json.loads(sys.argv[1])
    settings = Settings.from_json(arguments["settings"])
    torch.set_num_threads(settings.threads)
    model = load_spiking(settings, arguments["model"])
    with torch.no_grad():
        first, second = (seconds(lambda: run_all(model, arguments["length"])) for _ in range(2))
    print(json.dumps({"first": first, "second": second}))


if __name__ == "__main__":
    main()
