"""Time and memory of spiking models as ratios to their originals, measured in one run.

python -m benchmarks                        # everything
python -m benchmarks --only forward gpu     # these sections again; others are kept as they are
python -m benchmarks --table                # measure nothing, render what is stored
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environment import ROOT, measuring_environment
from benchmarks.plots import draw
from benchmarks.records import read_records
from benchmarks.sections import SECTIONS
from benchmarks.settings import MissingInputError, Settings
from benchmarks.table import render


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, store, and print the table of all that is stored."""
    options = _parser().parse_args(arguments)
    settings = Settings(
        options.models.resolve(),
        options.results.resolve(),
        options.output.resolve(),
        options.repeats,
        options.limit,
        options.threads,
    )
    sections = [] if options.table else [name for name in SECTIONS if name in options.only]
    failed = run(sections, settings)
    records = read_records(settings.output, list(SECTIONS))
    if records:
        table = render(records)
        (settings.output / "table.md").write_text(table)
        draw(records, settings.output)
        print(table)
    if failed:
        sys.exit(f"These sections failed, see above: {', '.join(failed)}")
    if not records:
        sys.exit(f"Nothing is stored in {settings.output}: run `python -m benchmarks` first")


def run(sections: Sequence[str], settings: Settings) -> list[str]:
    """Measure sections, each in a process of its own.

    Arguments:
        sections: their names.
        settings: how to measure.

    Returns:
        The names of those that failed; the others are stored all the same.
    """
    try:
        settings.check_inputs(dict.fromkeys(name for one in sections for name in SECTIONS[one]))
    except MissingInputError as error:
        sys.exit(str(error))
    failed = []
    for number, section in enumerate(sections, 1):
        print(f"{section} ({number} of {len(sections)}) ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "benchmarks.worker", section, settings.to_json()]
        if subprocess.run(command, cwd=ROOT, env=measuring_environment()).returncode:
            failed.append(section)
    return failed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    here = Path(__file__).parent
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="SECTION",
        choices=SECTIONS,
        default=list(SECTIONS),
        help=f"measure these alone: {', '.join(SECTIONS)}",
    )
    parser.add_argument(
        "--table", action="store_true", help="measure nothing, render what is stored"
    )
    parser.add_argument("--repeats", type=_positive, default=7, help="rounds of each case (7)")
    parser.add_argument(
        "--limit",
        type=float,
        default=30,
        help="seconds after which a case that has three rounds begins no other (30)",
    )
    parser.add_argument("--threads", type=_positive, default=2, help="threads of torch (2)")
    parser.add_argument("--models", type=Path, default=ROOT / "data" / "models", metavar="DIR")
    parser.add_argument("--results", type=Path, default=ROOT / "data" / "spiking", metavar="DIR")
    parser.add_argument("--output", type=Path, default=here / "data", metavar="DIR")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


if __name__ == "__main__":
    main()
