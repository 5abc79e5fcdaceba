"""las energy: count spikes on a text, and charge them under several accounts."""

from __future__ import annotations

import argparse
from textwrap import fill
from typing import Any

from las.cli.options import (
    SCORED_WINDOWS,
    add_adapter,
    add_command,
    add_sizes,
    add_unseen_text,
)


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    summary = "count spikes on text and estimate the energy, by Eq. 25 and under other accounts"
    energy = add_command(commands, "energy", run, summary)
    add_adapter(energy)
    add_unseen_text(energy)
    add_sizes(energy, SCORED_WINDOWS)
    energy.add_argument(
        "--hardware",
        metavar="NAME",
        default="horowitz_45nm",
        help="what operations and memory cost: paper, horowitz_45nm (the default), jouppi_7nm, "
        "loihi, spinnaker_2, truenorth or seneca",
    )


def run(options: argparse.Namespace) -> None:
    """Count spikes, and print the energy of every kind of layer, and of all under each account."""
    import torch
    from tqdm.auto import tqdm

    from las.cli.texts import batches, need_file
    from las.conversion.adapter import load
    from las.energy.counting import count_spikes
    from las.energy.descriptions import described
    from las.energy.model_energy import energy, energy_accounts
    from las.energy.verdict import verdict
    from las.hosts.loading import load_model, load_tokenizer

    need_file(options.text)
    hardware = described({"name": options.hardware})
    model, tokenizer = load_model(options.model), load_tokenizer(options.model)
    load(model, options.adapter)
    with count_spikes(model) as spikes, torch.no_grad():
        for batch in tqdm(list(batches(model, tokenizer, options)), desc="counting", unit="batch"):
            model(**batch)
    report = energy(model, spikes)
    print(f"{'kind':<12}{'SOPs':>18}{'MACs':>18}{'E_SNN (mJ)':>14}{'E_ANN (mJ)':>14}{'ratio':>9}")
    for row in [*report.grouped(lambda row: row.kind), report.total]:
        ratio = "–" if row.ratio is None else f"{row.ratio:.3f}"
        print(
            f"{row.name:<12}{row.sops:>18,}{row.macs:>18,}{row.snn_pj / 1e9:>14.4g}"
            f"{row.ann_pj / 1e9:>14.4g}{ratio:>9}"
        )
    activations = sum(site.activations for site in spikes.sites.values())
    print(
        f"\n{spikes.tokens:,} tokens; {spikes.spikes / activations:.2f} spikes per coded value; "
        f"{spikes.out_of_range:,} of {activations:,} values out of the calibrated range"
    )
    accounts = energy_accounts(model, spikes, hardware)
    print(f"\n{hardware.title}, per token\n")
    width = max(len(one.title) for one in accounts.accounts) + 4
    head = ("E_SNN (µJ)", "E_ANN (µJ)", "ratio", "last only")
    print(f"{'account':<{width}}{''.join(f'{name:>12}' for name in head)}")
    for one in accounts.accounts:
        snn, ann = (None if x is None else x.total / 1e6 for x in (one.snn, one.ann))
        numbers = [
            *[_shown(x, ".4g", spikes.tokens or 1) for x in (snn, ann)],
            *[_shown(x, ".3f") for x in (one.ratio, one.last_ratio)],
        ]
        print(f"{f'{one.number} {one.title}':<{width}}{''.join(f'{x:>12}' for x in numbers)}")
    print(f"\n{fill(verdict(accounts), 100)}")


def _shown(number: float | None, spec: str, tokens: int = 1) -> str:
    return "–" if number is None else format(number / tokens, spec)
