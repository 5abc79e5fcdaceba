"""The command line: plan, convert, audit, evaluate, energy, spikes, compare, and no Python."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from las.cli import audit, compare, convert, energy, evaluate, plan, spikes
from las.errors import LasError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error is reported in one line.

    Arguments:
        arguments: what follows the program's name; by default the command line's.

    Returns:
        The exit status: 0, or 2 after an error.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (LasError, ValueError, OSError) as error:
        print(f"las: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="las", description="Pretrained transformers as fully spike-driven networks."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (convert, plan, audit, evaluate, energy, spikes, compare):
        command.add_to(commands)
    return parser
