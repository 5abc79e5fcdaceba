"""A table as LaTeX, with the rules of the package booktabs."""

from __future__ import annotations

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


def to_latex(table: Table) -> str:
    """A `table` environment; what it needs beyond LaTeX itself is `booktabs`.

    Where there are cited rows, they carry a dagger, and computed ones are bold. Notes stand below.
    """
    both = len(table.sources) > 1
    left = table.text_columns
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\footnotesize",
        rf"\caption{{{_tex(table.title)}}}",
        rf"\label{{tab:{table.slug}}}",
        rf"\begin{{tabular}}{{{'l' * left}{'r' * (len(table.columns) - left)}}}",
        r"\toprule",
        _line([_tex(name) for name in table.columns]),
        r"\midrule",
        *[_line(_cells(row, both)) for row in table.rows],
        r"\bottomrule",
        r"\end{tabular}",
    ]
    notes = [*table.notes]
    if "cited" in table.sources:
        notes.insert(0, "† cited; bold: computed here.")
    notes += _origins(table)
    if notes:
        lines += [r"\par\smallskip\raggedright", *[rf"{_tex(note)}\par" for note in notes]]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _cells(row: Row, both: bool) -> list[str]:
    shown = [text(cell) for cell in row.cells]
    if row.source == "cited":
        shown[0] += "†"
    bold = both and row.source == "computed"
    return [rf"\textbf{{{_tex(s)}}}" if bold and s != MISSING else _tex(s) for s in shown]


def _origins(table: Table) -> list[str]:
    """How each computed row was computed, in one line for each."""
    origins = table.origins
    if origins is None:
        return []
    return [
        f"{row.cells[0]}: "
        + ", ".join(
            f"{name} {text(cell)}"
            for name, cell in zip(origins.columns[1:], row.cells[1:], strict=True)
            if cell is not None
        )
        for row in origins.rows
    ]


def _tex(content: str) -> str:
    return content.replace("\n", " ").translate(_TEX)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
