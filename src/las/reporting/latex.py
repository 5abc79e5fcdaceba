"""A table as LaTeX, with the rules of the package booktabs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from las.reporting.table import MISSING, Row, Table, text

_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "|": "$|$",
        "±": r"$\pm$",
        "≤": r"$\leq$",
        "×": r"$\times$",
        "→": r"$\to$",
        "µ": r"$\mu$",
        "✓": r"$\surd$",
        "✗": r"$\times$",
        "†": r"$^\dagger$",
        "–": "--",
    }
)
"""Signs that LaTeX would take for its own, or has no letter for in every font."""


_PORTRAIT = 90
"""How many letters side by side a page holds in a size that can be read."""
_ROWS = 40
"""How many rows one below the other, beside notes."""
_ROWS_SIDEWAYS = 30
_NARROWEST = 6
"""Letters in a line of a heading: in one that is longer than its column, words are stacked."""


def to_latex(table: Table) -> str:
    """`table` environments; what they need beyond LaTeX itself is in the first line.

    A table that is too wide lies on its side, and is scaled down to the page where that is not
    enough. One that is too long goes on in further ones, of which the last has the notes. Where
    there are cited rows, they carry a dagger, and computed ones are bold. How rows were computed
    stands behind the table, in paragraphs that may go on over pages, or be left out.
    """
    rows = [_cells(row, len(table.sources) > 1) for row in table.rows]
    widths = [_NARROWEST for _ in table.columns]
    for row in table.rows:
        widths = [max(w, len(text(cell))) for w, cell in zip(widths, row.cells, strict=True)]
    sides = "l" * table.text_columns + "r" * (len(table.columns) - table.text_columns)
    heads = [_stacked(*one) for one in zip(table.columns, widths, sides, strict=True)]
    sideways = sum(widths) + len(widths) > _PORTRAIT
    environment = "sidewaystable" if sideways else "table"
    most = _ROWS_SIDEWAYS if sideways else _ROWS
    parts = [rows[start : start + most] for start in range(0, len(rows), most)] or [[]]
    lines = [r"% \usepackage{booktabs,graphicx,rotating}"]
    for number, part in enumerate(parts, 1):
        of_all = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        lines += [
            rf"\begin{{{environment}}}",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{_tex(table.title)}{of_all}}}",
            rf"\label{{tab:{table.slug}{f'_{number}' if number > 1 else ''}}}",
            *_tabular(sides, heads, part),
            *(_notes(table) if number == len(parts) else ()),
            rf"\end{{{environment}}}",
        ]
    return "\n".join([*lines, *_origins(table)]) + "\n"


def _tabular(sides: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Scaled down where it is wider than a line."""
    return [
        r"\sbox2{%",
        rf"\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        _line(heads),
        r"\midrule",
        *map(_line, rows),
        r"\bottomrule",
        r"\end{tabular}}%",
        r"\ifdim\wd2>\linewidth\resizebox{\linewidth}{!}{\usebox2}\else\usebox2\fi",
    ]


def _notes(table: Table) -> list[str]:
    notes = [*table.notes]
    if "cited" in table.sources:
        notes.insert(0, "† cited; bold: computed here.")
    return [r"\par\smallskip\raggedright", *[rf"{_tex(note)}\par" for note in notes]] * bool(notes)


def _stacked(name: str, width: int, side: str) -> str:
    """A heading in lines no longer than the column, as far as its words allow."""
    lines = textwrap.wrap(name, width, break_long_words=False)
    stacked = r" \\ ".join(map(_tex, lines))
    return stacked if len(lines) < 2 else rf"\shortstack[{side}]{{{stacked}}}"


def _cells(row: Row, both: bool) -> list[str]:
    shown = [text(cell) for cell in row.cells]
    if row.source == "cited":
        shown[0] += "†"
    bold = both and row.source == "computed"
    return [rf"\textbf{{{_tex(s)}}}" if bold and s != MISSING else _tex(s) for s in shown]


def _origins(table: Table) -> list[str]:
    """How each computed row was computed, in a paragraph for each."""
    origins = table.origins
    if origins is None:
        return []
    told = [
        f"{row.cells[0]}: "
        + ", ".join(
            f"{name} {text(cell)}"
            for name, cell in zip(origins.columns[1:], row.cells[1:], strict=True)
            if cell is not None
        )
        for row in origins.rows
    ]
    return [
        rf"{{\scriptsize\raggedright {_tex(origins.title)}.\par",
        *[rf"{_tex(line)}\par" for line in told],
        "}",
    ]


def _tex(content: str) -> str:
    return content.replace("\n", " ").translate(_TEX)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
