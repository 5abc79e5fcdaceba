"""The command line: plan, convert, audit, evaluate, energy, for people who write no Python."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from las.cli import audit, convert, energy, evaluate, plan
from las.errors import LasError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what goes wrong is told in one line.

    Arguments:
        arguments: those after the program's name; of the command line if not given.

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
    for command in (convert, plan, audit, evaluate, energy):
        command.add_to(commands)
    return parser
