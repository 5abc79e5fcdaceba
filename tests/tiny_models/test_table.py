"""The list of families says what the tests found, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tiny_models import TINY_MODELS, results, table

GOOD: dict[str, Any] = dict.fromkeys((*table.CHECKS, table.GENERATION), True) | {"error": 2e-4}
MODELS = [TINY_MODELS[name] for name in ("llama", "llama-questions", "bert-mlm")]


def test_a_family_is_listed_with_the_classes_that_passed() -> None:
    found = {"llama": GOOD, "llama-questions": GOOD | {"error": 4e-4}, "bert-mlm": GOOD}
    *_, bert, llama = table.table(MODELS, found).splitlines()
    assert bert == "| BERT | `BertForMaskedLM` |  | 2e-04 |"
    assert llama == "| Llama | `LlamaForCausalLM`, `LlamaForQuestionAnswering` | yes | 4e-04 |"


@pytest.mark.parametrize("check", [*table.CHECKS, table.GENERATION])
def test_what_failed_or_did_not_run_is_not_listed(check: str) -> None:
    without = {name: value for name, value in GOOD.items() if name != check}
    for llama in (GOOD | {check: False}, without):
        listed = table.table(MODELS, {"llama": llama, "bert-mlm": GOOD})
        assert "Llama" not in listed
        assert "BERT" in listed


def test_a_partial_run_keeps_what_others_found(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "families.json"
    results.update({"llama": {"a": True, "b": True}, "gpt2": {"a": True}}, path)
    results.update({"llama": {"a": False}}, path)
    assert results.read(path) == {"llama": {"a": False, "b": True}, "gpt2": {"a": True}}


def test_a_file_without_the_list_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "read", lambda: {"llama": GOOD})
    file = tmp_path / "README.md"
    monkeypatch.setattr("sys.argv", ["table", str(file)])
    file.write_text(f"before\n{table.table(TINY_MODELS.values(), {'llama': GOOD})}\nafter")
    table.main()
    file.write_text("| family |")
    with pytest.raises(SystemExit, match="does not hold"):
        table.main()


def test_the_list_is_put_between_the_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "read", lambda: {"llama": GOOD})
    file = tmp_path / "models.md"
    file.write_text("before\n<!-- families -->\nan old list\n<!-- families -->\nafter\n")
    monkeypatch.setattr("sys.argv", ["table", "--write", str(file)])
    table.main()
    made = table.table(TINY_MODELS.values(), {"llama": GOOD})
    marked = f"<!-- families -->\n\n{made}\n\n<!-- families -->"
    assert file.read_text() == f"before\n{marked}\nafter\n"
    monkeypatch.setattr("sys.argv", ["table", str(file)])
    table.main()
    with pytest.raises(ValueError, match="between two lines"):
        table.put_in("no marks", made)
