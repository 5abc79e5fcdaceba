"""How all figures look, and a canvas whose bytes do not change."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

_LONG = 40
"""Letters of a text that may not fit into the width of a figure."""

Array = np.ndarray[Any, np.dtype[Any]]

# Okabe and Ito's palette: told apart by colour-blind readers.
BLUE, RED, GREEN, PURPLE, ORANGE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#aa4499",
    "#e69f00",
    "#56b4e9",
)
DARK, GREY = "#222222", "#8a8a8a"
CYCLE = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (PURPLE, "D"), (ORANGE, "v"), (SKY, "P"))

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "pdf.fonttype": 42,  # letters that can be searched and copied
}


def marks() -> Iterator[tuple[str, str]]:
    """A colour and a marker for one series after the other: `CYCLE`, then its other pairs."""
    colours, markers = zip(*CYCLE, strict=True)
    for round_ in itertools.count():
        yield from zip(colours, markers[round_ % len(markers) :] + markers, strict=False)


@contextmanager
def figure_of(width: float, height: float) -> Iterator[Figure]:
    """A figure of `width` by `height` inches; what is drawn inside the block has the style."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), dpi=160, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


@contextmanager
def drawing(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of `width` by `height` inches, written to `path` on leaving, a PNG, and as a PDF."""
    with figure_of(width, height) as figure:
        yield figure
        _wrap(figure)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without entries that name the version or the time, bytes do not change.
        figure.savefig(path, format="png", metadata={"Software": None})
        unnamed: Any = dict.fromkeys(("Creator", "Producer", "CreationDate"))
        figure.savefig(path.with_suffix(".pdf"), format="pdf", metadata=unnamed)


def _wrap(figure: Figure) -> None:
    """Break long texts that go over an edge of the figure into lines."""
    texts = [text for text in figure.findobj(Text) if len(text.get_text()) > _LONG]
    if not texts:
        return
    figure.draw_without_rendering()  # lays out
    whole = figure.bbox
    for text in texts:
        box = text.get_window_extent()
        centred = text.get_horizontalalignment() == "center"
        room = whole.width if centred else whole.x1 - max(box.x0, whole.x0)
        if box.width > room:
            lines = text.get_text().splitlines()
            letters = max(int(max(map(len, lines)) * room / box.width), 1)
            broken = [textwrap.fill(line, letters) for line in lines]
            text.set_text("\n".join(broken))
