"""Time and memory of the spiking forward pass as ratios to the original's, in one run.

    python benchmarks/forward.py data/models/smollm2-135m \
        results/smollm2-135m/t16h5/adapter --tokens 512

Both models run in turn on the same tokens; the figure is the median of the ratios pair by pair.
Peak memory is that of two processes that each hold and run one of them.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

import las


def load(directory: Path, adapter: Path | None) -> torch.nn.Module:
    """The original model, or the spiking one of an adapter."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(directory)
    model = getattr(transformers, config.architectures[0]).from_pretrained(
        directory, dtype=torch.float32
    )
    return model.eval() if adapter is None else las.load(model, adapter)


def tokens(model: Any, batch: int, length: int) -> torch.Tensor:
    """Token ids, (batch, length), the same at every call."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(5, model.config.vocab_size, (batch, length), generator=generator)


def seconds(model: torch.nn.Module, ids: torch.Tensor) -> float:
    """Wall time of one forward pass."""
    start = time.perf_counter()
    model(input_ids=ids)
    return time.perf_counter() - start


def compare(arguments: argparse.Namespace) -> dict[str, float]:
    """Ratios SNN / ANN of the forward time, with and without counting spikes."""
    ann = load(arguments.model, None)
    snn = load(arguments.model, arguments.adapter)
    ids = tokens(ann, arguments.batch, arguments.tokens)
    plain, counted, base = [], [], []
    with torch.no_grad():
        for repeat in range(arguments.repeats + 1):
            first = seconds(ann, ids)
            second = seconds(snn, ids)
            with las.count_spikes(snn):
                third = seconds(snn, ids)
            if repeat:  # the first one warms up
                base.append(first)
                plain.append(second / first)
                counted.append(third / first)
    return {
        "ann_seconds": statistics.median(base),
        "time_ratio": statistics.median(plain),
        "time_ratio_counting": statistics.median(counted),
    }


def peak_memory(arguments: argparse.Namespace, which: str) -> float:
    """Peak resident memory in MiB of a process that runs one of the two models."""
    command = [sys.executable, __file__, str(arguments.model), str(arguments.adapter)]
    command += ["--tokens", str(arguments.tokens), "--batch", str(arguments.batch)]
    command += ["--threads", str(arguments.threads), "--only", which]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(finished.stdout.split()[-1])


def main() -> None:
    """Print the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="directory of the original model")
    parser.add_argument("adapter", type=Path, help="directory of its adapter")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("ann", "snn"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.only:
        model = load(arguments.model, arguments.adapter if arguments.only == "snn" else None)
        ids = tokens(model, arguments.batch, arguments.tokens)
        with torch.no_grad():
            for _ in range(3):
                model(input_ids=ids)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    # before this process grows: a child's peak begins with the memory of its parent
    ann, snn = peak_memory(arguments, "ann"), peak_memory(arguments, "snn")
    result = compare(arguments)
    result |= {"ann_peak_mib": ann, "snn_peak_mib": snn, "memory_ratio": snn / ann}
    print(json.dumps({name: round(value, 3) for name, value in result.items()}, indent=1))


if __name__ == "__main__":
    main()
