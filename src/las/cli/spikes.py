"""las spikes: which neurons fire when, as arrays."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from las.cli.options import add_adapter, add_command, add_sizes


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    spikes = add_command(commands, "spikes", run, "list neuron sites, or export their spikes")
    add_adapter(spikes)
    spikes.add_argument(
        "--sites",
        metavar="SITE",
        nargs="+",
        help="sites, layers, or patterns such as 'model.layers.*.mlp.*'; without it, sites are "
        "listed and nothing is run",
    )
    spikes.add_argument(
        "--text", metavar="FILE", type=Path, help="UTF-8 text; the first batch of it is run"
    )
    spikes.add_argument("--output", metavar="FILE", type=Path, help="the npz file to write")
    add_sizes(spikes, windows=1)


def run(options: argparse.Namespace) -> None:
    """List the sites, or write the spikes of those that are named."""
    from las.cli.texts import batches, need_file
    from las.conversion.adapter import load
    from las.hosts.loading import load_model, load_tokenizer
    from las.spikes import spike_events, spiking_sites

    if options.sites is not None:
        if options.text is None or options.output is None:
            raise ValueError("--sites also needs --text, which is run, and --output, what to write")
        need_file(options.text)
    model = load(load_model(options.model), options.adapter)
    if options.sites is None:
        for name, kind in spiking_sites(model).items():
            print(f"{kind:<16}{name}")
        return
    batch = next(iter(batches(model, load_tokenizer(options.model), options)))
    events = spike_events(model, batch, options.sites)
    path = events.save(options.output)
    for name, one in events.items():
        neurons = one.positions_in_all * one.channels_in_all
        rate = one.rates().mean() if neurons else 0.0
        print(f"{len(one.times):>12,} spikes, firing rate {rate:.3f}   {name}")
    print(f"written to {path}")
