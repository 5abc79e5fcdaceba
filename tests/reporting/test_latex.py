"""Tables in LaTeX: what a page can hold, and nothing that stops a run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from las.reporting.latex import to_latex
from las.reporting.report import Report
from las.reporting.table import Number, Origin, Row, Table

PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs,graphicx,rotating}
\begin{document}
%s
\end{document}
"""


def test_a_table_has_the_rules_of_booktabs_and_escaped_signs() -> None:
    table = Table(
        slug="t",
        title="Half & half",
        columns=("Model", "accuracy, %"),
        rows=(
            Row(("their_model", "50"), source="cited"),
            Row(("ours {1}", Number(61.2, 1.5, ".1f")), origin=Origin(model="ours", levels="5")),
            Row(("ours", None)),
        ),
        notes=("E_snn ≤ 1",),
    )
    assert to_latex(table).splitlines() == [
        r"% \usepackage{booktabs,graphicx,rotating}",
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        r"\caption{Half \& half}",
        r"\label{tab:t}",
        r"\sbox2{%",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"Model & \shortstack[r]{accuracy, \\ \%} \\",
        r"\midrule",
        r"their\_model$^\dagger$ & 50 \\",
        r"\textbf{ours \{1\}} & \textbf{61.2 $\pm$ 1.5} \\",
        r"\textbf{ours} & -- \\",
        r"\bottomrule",
        r"\end{tabular}}%",
        r"\ifdim\wd2>\linewidth\resizebox{\linewidth}{!}{\usebox2}\else\usebox2\fi",
        r"\par\smallskip\raggedright",
        r"$^\dagger$ cited; bold: computed here.\par",
        r"E\_snn $\leq$ 1\par",
        r"\end{table}",
        r"{\scriptsize\raggedright How the rows of Half \& half were computed.\par",
        r"ours \{1\}: Model ours, H 5\par",
        "}",
    ]


def test_a_wide_table_lies_on_its_side_and_a_long_one_goes_on() -> None:
    rows = tuple(Row((f"{i}", "x" * 90)) for i in range(70))
    wide = to_latex(Table("t", "Title", ("a", "b"), rows, notes=("A note.",)))
    assert wide.count(r"\begin{sidewaystable}") == wide.count(r"\bottomrule") == 3
    assert r"\begin{table}" not in wide
    assert [f"Title ({i} of 3)" in wide for i in (1, 2, 3)] == [True, True, True]
    assert re.findall(r"\\label{(.*?)}", wide) == ["tab:t", "tab:t_2", "tab:t_3"]
    assert wide.count("A note.") == 1 and wide.index("A note.") > wide.index("(3 of 3)")
    assert [f"\n{row.cells[0]} & " in wide for row in rows] == [True] * 70
    narrow = to_latex(Table("t", "Title", ("a", "b"), rows=(Row(("1", "x")),)))
    assert "sideways" not in narrow and " of " not in narrow


def test_a_run_over_all_tables_has_no_reason_to_stop(written: Report) -> None:
    """All signs are those of every font; braces and environments are closed; columns agree."""
    files = sorted((written.index.parent / "tables").glob("*.tex"))
    assert len(files) == len(written.tables)
    for file in files:
        content = file.read_text()
        assert content.isascii(), file
        bare = content.replace(r"\{", "").replace(r"\}", "").replace(r"\&", "")
        assert bare.count("{") == bare.count("}"), file
        opened = re.findall(r"\\begin{(\w+)}", content)
        closed = re.findall(r"\\end{(\w+)}", content)
        assert sorted(opened) == sorted(closed), file
        assert not re.search(r"(?<!\\)[#_]", re.sub(r"\\label{.*}", "", content)), file
        for sides, rows in re.findall(r"{tabular}{([lr]+)}\n(.*?)\\bottomrule", bare, re.DOTALL):
            lines = [line for line in rows.splitlines() if line.endswith(r"\\")]
            assert {line.count("&") for line in lines} == {len(sides) - 1}, file
            assert len(lines) <= 41, file


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX here")
def test_on_paper_no_table_is_wider_or_longer_than_its_page(
    written: Report, tmp_path: Path
) -> None:
    files = sorted((written.index.parent / "tables").glob("*.tex"))
    inputs = "\n".join(rf"\input{{{file}}}\clearpage" for file in files)
    (tmp_path / "all.tex").write_text(PREAMBLE % inputs)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "all.log").read_text(errors="replace")
    assert "Overfull" not in log and "Float too large" not in log
    assert "Missing character" not in log
