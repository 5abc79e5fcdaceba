"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

LENGTH = 512
"""Tokens per window, if the model can read that many."""
SCORED_WINDOWS = 8
"""How many windows the commands that measure read by default."""
LINES_PER_WINDOW = 16
"""An encoder reads lines, which are shorter: this many take the place of one window."""


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], None], summary: str
) -> argparse.ArgumentParser:
    """Add a command that takes a model and is carried out by `run`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "model", metavar="MODEL", help="a model's directory, or its name on the hub"
    )
    return parser


def add_adapter(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add --adapter."""
    parser.add_argument(
        "--adapter",
        metavar="DIR",
        type=Path,
        required=required,
        help="what `las convert` wrote",
    )


def add_unseen_text(parser: argparse.ArgumentParser) -> None:
    """Add --text."""
    parser.add_argument(
        "--text",
        metavar="FILE",
        type=Path,
        required=True,
        help="UTF-8 text that calibration has not seen",
    )


def add_sizes(parser: argparse.ArgumentParser, windows: int) -> None:
    """Add --windows and --length: how much of a text to read."""
    parser.add_argument(
        "--windows",
        metavar="N",
        type=int,
        help="how many windows (language model) or lines (encoder) to read, spread evenly over the "
        f"text; by default up to {windows} windows or {windows * LINES_PER_WINDOW} lines",
    )
    parser.add_argument(
        "--length",
        metavar="L",
        type=int,
        help=f"tokens per window; by default {LENGTH}, or as many as the model can read",
    )
    parser.set_defaults(usual_windows=windows)
