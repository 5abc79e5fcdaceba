"""Tables in LaTeX."""

from __future__ import annotations

import pytest

from las.reporting.latex import to_latex
from las.reporting.report import Report
from las.reporting.table import Number, Origin, Row, Table


def test_a_table_has_the_rules_of_booktabs_and_escaped_signs() -> None:
    table = Table(
        slug="t",
        title="Half & half",
        columns=("Model", "acc, %"),
        rows=(
            Row(("their_model", "50"), source="cited"),
            Row(("ours {1}", Number(61.234, 1.5)), origin=Origin(model="ours", levels="5")),
            Row(("ours", None)),
        ),
        notes=("E_snn ≤ 1",),
    )
    assert to_latex(table).splitlines() == [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\footnotesize",
        r"\caption{Half \& half}",
        r"\label{tab:t}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"Model & acc, \% \\",
        r"\midrule",
        r"their\_model$^\dagger$ & 50 \\",
        r"\textbf{ours \{1\}} & \textbf{61.23 $\pm$ 1.50} \\",
        r"\textbf{ours} & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip\raggedright",
        r"$^\dagger$ cited; bold: computed here.\par",
        r"E\_snn $\leq$ 1\par",
        r"ours \{1\}: Model ours, H 5\par",
        r"\end{table}",
    ]


@pytest.mark.parametrize("number", range(1, 7))
def test_every_row_of_the_papers_tables_has_all_columns(number: int, written: Report) -> None:
    lines = (written.index.parent / "tables" / f"table{number}.tex").read_text().splitlines()
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len({line.replace(r"\&", "").count("&") for line in rows}) == 1
    assert not any(sign in line for line in lines for sign in "✗✓†–±≤")
