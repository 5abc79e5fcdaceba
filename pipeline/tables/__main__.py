"""Put the figures of the published grid into the tables of the documentation.

python -m pipeline.tables     # docs/results.md, docs/ablations.md, docs/baselines.md, from metrics/

What a table shows is in the module of its page, pipeline/tables/<page>.py. On the page it stands
between two lines <!-- name -->, and is written anew between them.
"""

from __future__ import annotations

import argparse
import sys

from pipeline.paths import ROOT
from pipeline.tables.metrics import Metrics, MissingFigureError
from pipeline.tables.pages import PAGES, page


def main() -> None:
    """Write the pages, or none of them if a figure is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    metrics = Metrics(ROOT)
    files = {name: ROOT / "docs" / f"{name}.md" for name in PAGES}
    try:
        made = {name: page(name, file.read_text("utf-8"), metrics) for name, file in files.items()}
    except MissingFigureError as error:
        sys.exit(str(error))
    for name, text in made.items():
        files[name].write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
