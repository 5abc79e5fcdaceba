"""Where the energy goes: by kind of operation under all accounts, and block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from las.reporting.accounted import Accounted
from las.reporting.figures.picture import Picture
from las.reporting.figures.style import (
    BLUE,
    CYCLE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    drawing,
)
from las.reporting.names import block_title, evaluation_title

_COLOURS = {
    "linear": BLUE,
    "matmul": RED,
    "norm": GREEN,
    "softmax": PURPLE,
    "hadamard": ORANGE,
    "activation": SKY,
    "neurons": GREY,
}

Bars = Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]
"""By account: the energy of each kind in the spiking model, and in the ANN."""


def draw_kinds(path: Path, bars: Bars, title: str) -> Path:
    """Two stacked bars for each account, in units of its ANN: the spiking model above the ANN."""
    with drawing(path, 7.2, 1.4 + 0.55 * len(bars)) as figure:
        axes = figure.subplots()
        for place, (snn, ann) in enumerate(bars.values()):
            unit = sum(ann.values()) or sum(snn.values()) or 1.0
            for offset, side, shade in ((-0.2, snn, 1.0), (0.2, ann, 0.45)):
                left = 0.0
                for kind, colour in _COLOURS.items():
                    share = side.get(kind, 0.0) / unit
                    axes.barh(place + offset, share, 0.36, left, color=colour, alpha=shade)
                    left += share
        for kind, colour in _COLOURS.items():
            if any(kind in side for pair in bars.values() for side in pair):
                axes.barh([0], [0], color=colour, label=kind)
        axes.axvline(1, color=DARK, linewidth=1, linestyle=":")
        axes.set_yticks(range(len(bars)), list(bars))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("energy, in units of the ANN's (pale)")
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=4)
    return path


def draw_layers(
    path: Path, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], blocks: Sequence[str],
    title: str,
) -> Path:  # fmt: skip
    """Energy of each block, a colour for each account: the spiking model solid, the ANN dotted.

    What is outside the blocks comes last, as a point.
    """
    inside = sum(name.startswith("block ") for name in blocks)
    rest = [inside + 1] * (len(blocks) - inside)
    with drawing(path, 7.2, 4.6) as figure:
        axes = figure.subplots()
        for (name, (snn, ann)), (colour, _) in zip(lines.items(), CYCLE, strict=False):
            axes.plot(range(inside), snn[:inside], color=colour, label=name)
            axes.plot(rest, snn[inside:], "o", color=colour)
            if any(ann):
                axes.plot(range(inside), ann[:inside], color=colour, linestyle=":", linewidth=1.2)
                axes.plot(rest, ann[inside:], "o", color=colour, markerfacecolor="white")
        axes.set_yscale("log")
        shown = range(0, inside, max(1, inside // 12))
        names = [blocks[place].removeprefix("block ") for place in shown]
        axes.set_xticks([*shown, *rest], [*names, *["rest"] * len(rest)])
        axes.set_xlabel("block")
        axes.set_ylabel("energy per token, µJ")
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=2)
    return path


def accounts_pictures(cells: Sequence[Accounted], directory: Path) -> list[Picture]:
    """Two figures for each cell."""
    pictures = []
    for one in cells:
        title = f"{one.cell.title}: where the energy goes"
        name = one.cell.model
        pictures += [
            Picture(
                draw_kinds(directory / f"accounts_kind_{name}.png", _bars(one), title),
                f"{title}, by kind",
                "Left of the dotted line spiking takes less. Both operands of attention's products "
                f"are charged. {_where(one)}",
            ),
            Picture(
                draw_layers(directory / f"accounts_layer_{name}.png", *_lines(one), title),
                f"{title}, by layer",
                "Solid, and full points: the spiking model; dotted, and open points: the ANN. "
                f"{_where(one)}",
            ),
        ]
    return pictures


def _where(one: Accounted) -> str:
    evaluation = evaluation_title(one.cell.evaluation)
    return f"{evaluation}, {one.cell.setting}; {one.accounts.hardware.title}."


def _bars(one: Accounted) -> Bars:
    bars = {}
    for account in one.accounts.accounts:
        if account.rows:
            groups = account.grouped(lambda row: row.kind)
            snn = {kind: group.snn.total for kind, group in groups.items()}
            ann = {kind: group.ann.total for kind, group in groups.items()}
            bars[f"{account.number} {account.title}"] = snn, ann
    return bars


def _lines(
    one: Accounted,
) -> tuple[Mapping[str, tuple[Sequence[float], Sequence[float]]], Sequence[str]]:
    unit = 1e6 * (one.accounts.tokens or 1)
    paths = [row.name for row in one.accounts.accounts[0].rows]
    found = dict.fromkeys(map(block_title, paths))
    outside = [name for name in found if not name.startswith("block ")]
    blocks = [*[name for name in found if name not in outside], *outside]
    lines = {}
    for account in one.headline:
        if account.rows:
            groups = account.grouped(lambda row: block_title(row.name))
            energies = [groups[block] for block in blocks if block in groups]
            snn = [group.snn.total / unit for group in energies]
            ann = [group.ann.total / unit for group in energies]
            lines[f"{account.number} {account.title}"] = snn, ann
    return lines, blocks
