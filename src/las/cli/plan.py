"""las plan: what a model will need, from its config alone."""

from __future__ import annotations

import argparse
import json
from typing import Any

from las.cli.options import LENGTH, add_command
from las.config import SpikeConfig
from las.hosts.loading import DTYPES


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    defaults = SpikeConfig()
    plan = add_command(commands, "plan", run, "say what a model will need, from its config alone")
    plan.add_argument(
        "--batch", metavar="B", type=int, default=1, help="sequences in a forward pass"
    )
    plan.add_argument(
        "--length", metavar="L", type=int, default=LENGTH, help="tokens in each sequence"
    )
    plan.add_argument("--dtype", choices=DTYPES, default="float32")
    plan.add_argument("--time-steps", metavar="T", type=int, default=defaults.time_steps)
    plan.add_argument("--levels", metavar="H", type=int, default=defaults.levels)
    plan.add_argument(
        "--gpus",
        metavar="NxGB",
        help="e.g. 8x24: eight GPUs of 24 GB (1e9 bytes); or by name, e.g. 2xH100",
    )
    plan.add_argument(
        "--cpu-memory",
        metavar="GB",
        type=float,
        help="memory of the CPU; by default what is free here",
    )
    plan.add_argument("--disk", metavar="GB", type=float, help="free disk space, to compare with")
    plan.add_argument(
        "--flops",
        metavar="F",
        type=float,
        help="operations per second of the planned machine, e.g. 150e12",
    )
    plan.add_argument(
        "--neurons", metavar="N", type=float, help="values that its neurons code per second"
    )
    plan.add_argument("--json", action="store_true", help="print everything as JSON")


def run(options: argparse.Namespace) -> None:
    """Print the plan."""
    import psutil

    from las.planning import GB, Devices, parse_card, parse_gpus, plan

    memory = options.cpu_memory
    devices = Devices(
        parse_gpus(options.gpus) if options.gpus else (),
        psutil.virtual_memory().available if memory is None else memory * GB,
        None if options.disk is None else options.disk * GB,
        parse_card(options.gpus) if options.gpus else None,
    )
    made = plan(
        options.model,
        batch=options.batch,
        length=options.length,
        dtype=options.dtype,
        config=SpikeConfig(options.time_steps, options.levels),
        devices=devices,
        flops=options.flops,
        neurons=options.neurons,
    )
    print(json.dumps(made.to_dict(), indent=1) if options.json else made)
