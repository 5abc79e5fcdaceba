"""Labels beside points, where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from las.reporting.figures.style import Array

_PLACES = (
    *((5, 3, "left", "bottom"), (5, -3, "left", "top"), (-5, 3, "right", "bottom")),
    *((-5, -3, "right", "top"), (0, 6, "center", "bottom"), (0, -6, "center", "top")),
    *((8, 0, "left", "center"), (-8, 0, "right", "center")),
)
"""Where a label may stand: points to the right of and above its point, and how it is aligned."""

_MARKER = 5.0
"""How far a point's marker reaches, in points."""


@dataclass(frozen=True)
class Label:
    """A text beside a point, (x, y) in data coordinates."""

    text: str
    x: float
    y: float
    colour: str


def place(axes: Axes, labels: Sequence[Label], points: Sequence[tuple[float, float]]) -> list[str]:
    """Write labels where they cover neither points nor each other nor the edge of the axes.

    A label for which there is no such place is left out. The figure has been laid out before.

    Arguments:
        axes: where the points were drawn.
        labels: those that matter most first.
        points: all that were drawn, in data coordinates.

    Returns:
        The texts that were written.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    reach = _MARKER * figure.dpi / 72
    taken = [_around(axes.transData.transform(point), reach) for point in points]
    within = axes.get_window_extent()
    written = []
    for label in labels:
        for x, y, across, up in _PLACES:
            text = axes.annotate(
                label.text,
                (label.x, label.y),
                xytext=(x, y),
                textcoords="offset points",
                ha=across,
                va=up,
                color=label.colour,
                fontsize=9,
            )
            text.set_in_layout(False)
            box = text.get_window_extent()
            own = _around(axes.transData.transform((label.x, label.y)), reach)
            others = [one for one in taken if one.bounds != own.bounds]
            if _holds(within, box) and not any(map(box.overlaps, others)):
                taken.append(box)
                written.append(label.text)
                break
            text.remove()
    return written


def _around(centre: Array, reach: float) -> Bbox:
    x, y = centre
    return Bbox.from_extents(x - reach, y - reach, x + reach, y + reach)


def _holds(whole: Bbox, box: Bbox) -> bool:
    return bool(
        whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
    )
