"""The list of families, made from what the tests found.

`python -m tests.tiny_models.table` prints it. With a file's name it checks that the file holds it,
and with --write it puts it in, between two lines `<!-- families -->`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from pipeline.marked import put_between
from tests.tiny_models import TINY_MODELS
from tests.tiny_models.results import Results, read
from tests.tiny_models.tiny_model import TinyModel

GENERATION = "test_generation_with_a_cache_gives_the_tokens_of_a_full_forward_pass"
CHECKS = (
    "test_outputs_stay_the_same",
    "test_simulator_and_fused_path_agree_spike_for_spike",
    "test_an_adapter_gives_the_same_bits",
    "test_a_checkpoint_gives_the_same_bits",
    "test_no_operation_is_float",
)


def passes(tiny: TinyModel, results: Results) -> bool:
    """Whether a model passed every check that it is owed; what did not run did not pass."""
    found = results.get(tiny.name, {})
    owed = (*CHECKS, GENERATION) if tiny.generates else CHECKS
    return all(found.get(check, False) for check in owed)


def table(models: Iterable[TinyModel], results: Results) -> str:
    """Markdown: a row for each family, with those of its classes that passed every check.

    Arguments:
        models: tiny models.
        results: what their checks found.
    """
    families: dict[str, list[TinyModel]] = {}
    for tiny in models:
        if passes(tiny, results):
            families.setdefault(tiny.family, []).append(tiny)
    lines = ["| family | classes | writes text | worst error |", "|---|---|---|--:|"]
    for family, members in sorted(families.items(), key=lambda item: item[0].lower()):
        kinds = ", ".join(dict.fromkeys(f"`{tiny.kind}`" for tiny in members))
        writes = "yes" if any(tiny.generates for tiny in members) else ""
        worst = max(float(results[tiny.name]["error"]) for tiny in members)
        lines.append(f"| {family} | {kinds} | {writes} | {worst:.0e} |")
    return "\n".join(lines)


def put_in(text: str, made: str) -> str:
    """A text with a table in the place of the one between its marks.

    Raises:
        ValueError: there are no two marks.
    """
    return put_between(text, "<!-- families -->", made)


def without_errors(text: str) -> str:
    """A text without the last column of its tables: errors are rounded otherwise elsewhere."""
    return "\n".join(
        line.rstrip("| ").rpartition("|")[0] if line.startswith("|") else line
        for line in text.splitlines()
    )


def main() -> None:
    """Print the table, or check a file, or write it there.

    Raises:
        SystemExit: the file does not hold the table.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="a file that should hold the table")
    parser.add_argument("--write", action="store_true", help="put the table into the file")
    options = parser.parse_args()
    path: Path | None = options.file
    made = table(TINY_MODELS.values(), read())
    if path is None:
        print(made)
    elif options.write:
        path.write_text(put_in(path.read_text(), made))
    elif without_errors(made) not in without_errors(path.read_text()):
        raise SystemExit(
            f"{path} does not hold the list of families that the tests found. Put it in with "
            f"`python -m tests.tiny_models.table --write {path}`."
        )


if __name__ == "__main__":
    main()
