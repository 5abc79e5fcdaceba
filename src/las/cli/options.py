"""What the commands ask for in the same words."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

LENGTH = 512
"""Tokens per window, of a model that can read so many."""
SCORED_WINDOWS = 8
"""Read by the commands that measure, if nothing else is said."""
LINES_PER_WINDOW = 16
"""An encoder reads lines, which are shorter: so many take the place of one window."""


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], None], summary: str
) -> argparse.ArgumentParser:
    """Add a command that takes a model, and say what runs it."""
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
        "--text", metavar="FILE", type=Path, required=True, help="UTF-8 text, unseen so far"
    )


def add_sizes(parser: argparse.ArgumentParser, windows: int) -> None:
    """Add --windows and --length: how much of a text is read."""
    parser.add_argument(
        "--windows",
        metavar="N",
        type=int,
        help="windows of a language model, or lines of an encoder, spread evenly over the text; "
        f"{windows} windows, {windows * LINES_PER_WINDOW} lines or what there is, if not given",
    )
    parser.add_argument(
        "--length",
        metavar="L",
        type=int,
        help=f"tokens per window; {LENGTH} or what the model can read, if not given",
    )
    parser.set_defaults(usual_windows=windows)
