"""Publish sweeps of T and H: docs/sweeps.csv, and the tables and figure of docs/sweeps.md.

python -m pipeline.cell -m experiment=sweep_time_steps
python -m pipeline.cell -m experiment=sweep_levels
python -m pipeline.sweeps             # of what lies in results/
python -m pipeline.sweeps ROOT        # of ROOT/results/

Models that were not swept there keep their rows.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.evaluated import evaluated_cells
from pipeline.marked import put_between
from pipeline.paths import ROOT, MissingStageError
from pipeline.revision import revision

if TYPE_CHECKING:
    from las.reporting.swept import Swept

MARK = "<!-- sweeps -->"
_NAME = re.compile(r"t(\d+)h(\d+)")


def swept_cells(root: Path) -> Iterator[dict[str, str]]:
    """The cells below results/ whose neurons are named by T and H alone: `t9h5`, not `frugal`."""
    return (cell for cell in evaluated_cells(root) if _NAME.fullmatch(cell["neuron"]))


def page(cells: Sequence[Swept], text: str) -> str:
    """A page with the tables between its two marks.

    Raises:
        ValueError: there are not two marks.
    """
    from las.reporting.swept import sweeps
    from las.reporting.tables.swept import sweep_tables

    tables = "\n".join(table.to_markdown() for table in sweep_tables(sweeps(cells)))
    return put_between(text, MARK, tables.rstrip())


def publish(root: Path, docs: Path) -> None:
    """Put what was swept below a root into the file, the page and the figure of the documentation.

    Raises:
        MissingStageError: nothing was swept there.
        ValueError: results of a cell are damaged.
    """
    from las.files.atomic import atomic_file
    from las.reporting.figures.swept import draw
    from las.reporting.results import Made, load_results
    from las.reporting.swept import read_swept, sweeps, swept, write_swept

    made = revision()
    results = load_results(root / "results", swept_cells(root))
    if results.damaged:
        raise ValueError(
            f"results are damaged: {', '.join(results.damaged)}. Delete their folders below "
            f"{root / 'results'} and evaluate them again."
        )
    told = Made(revision=made.commit if made else None, date=made.date if made else None)
    new = swept(replace(results, made=told))
    if not new:
        raise MissingStageError(
            f"no sweep in {root / 'results'}. Make one with: "
            "python -m pipeline.cell -m experiment=sweep_time_steps model=minilm-l6"
        )
    file, text, picture = (docs / f"sweeps.{suffix}" for suffix in ("csv", "md", "png"))
    renewed = {cell.model for cell in new}
    kept = [cell for cell in read_swept(file) if cell.model not in renewed] if file.exists() else []
    with atomic_file(file) as partial:
        write_swept(partial, [*kept, *new])
    cells = read_swept(file)
    text.write_text(page(cells, text.read_text(encoding="utf-8")), encoding="utf-8")
    draw(picture, sweeps(cells))
    picture.with_suffix(".pdf").unlink()
    print(f"{file}, {text}, {picture}: {len(new)} cells, {len(kept)} kept")


def main() -> None:
    """Publish."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.sweeps",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="where results/ lies")
    publish(parser.parse_args().root, ROOT / "docs")


if __name__ == "__main__":
    main()
