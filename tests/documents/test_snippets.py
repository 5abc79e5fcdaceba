"""The Python of the documents runs as written, page by page, and prints what they say it prints.

A ```text block is the output of the blocks before it. Numbers and module paths may differ, since a
tiny model stands for the one that the page names, and "..." stands for anything.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [
    path
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if "```python" in path.read_text()
]


def shape(text: str) -> str:
    """A text without its numbers, module paths and line breaks."""
    text = re.sub(r"model\.layers\.\d+\S*", "PATH", text)
    text = re.sub(r"\d[\d,.]*(e[+-]\d+)?", "#", text)
    return " ".join(text.split())


def shows(shown: str, printed: str) -> bool:
    """Whether what a document shows is what was printed."""
    parts = [re.escape(part.strip()) for part in shape(shown).split("...")]
    return re.search(r"\s?.*?\s?".join(parts), shape(printed)) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(
    page: Path, tiny_model: Path, working_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    for kind, content in BLOCK.findall(page.read_text()):
        if kind == "python":
            exec(compile(content.replace(NAME, str(tiny_model)), page.name, "exec"), names)
            printed += capsys.readouterr().out
        else:
            assert shows(content, printed), (
                f"{page.name} shows\n{content}\nbut it prints\n{printed}"
            )
            printed = ""


def test_the_pages_with_python_are_found() -> None:
    assert {"README.md", "quickstart.md", "architecture.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("error 1.5e-04 at model.layers.3.mlp", "error 2e-01\nat model.layers.29.self_attn", True),
        ("begins ... ends", "begins here and\nends", True),
        ("error 1.5e-04", "mistake 1.5e-04", False),
        ("begins ... ends", "ends, begins", False),
        ("count: 3", "[]", False),
    ],
)
def test_what_counts_as_the_same_output(shown: str, printed: str, same: bool) -> None:
    assert shows(shown, printed) is same
