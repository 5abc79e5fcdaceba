"""las compare: runs side by side, and the paper's tables made from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    summary = "show runs side by side, and the tables of the paper made from them"
    compare = commands.add_parser(
        "compare",
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}, in Markdown. Needs no account.",
    )
    compare.set_defaults(run=run)
    compare.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        type=Path,
        help="a cell, results/<model>/<neuron>/<evaluation>, or the directory of a W&B run, "
        "wandb/offline-run-*",
    )


def run(options: argparse.Namespace) -> None:
    """Print the tables."""
    from las.reporting.comparison import comparison, load_runs

    print("\n".join(table.to_markdown() for table in comparison(load_runs(options.runs))), end="")
