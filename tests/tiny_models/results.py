"""What the checks of `test_any_architecture.py` found, for the list of families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "outputs" / "families.json"

Results = dict[str, dict[str, Any]]
"""By the model's name: each check to whether it passed, and "error" to the worst error."""


def read(path: Path = RESULTS) -> Results:
    """What is known so far; nothing where no check has run."""
    return json.loads(path.read_text()) if path.exists() else {}


def update(found: Results, path: Path = RESULTS) -> None:
    """Put in what was found; checks that did not run keep what an earlier run found."""
    kept = read(path)
    for name, checks in found.items():
        kept[name] = kept.get(name, {}) | checks
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
