"""Take back what `dvc repro` left half written when it was killed, so that it can run again.

DVC writes two files in place: dvc.lock, at the end of every stage, and .dvc/tmp/rwlock. It refuses
to run where one of them is damaged.

python -m pipeline.mend     # make repro begins with it
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from las.files.lock import held


def mend(root: Path) -> Iterator[str]:
    """Replace what is damaged below a root; say what was done.

    It waits for a DVC that is just writing. What is whole stays as it is.
    """
    temporary = root / ".dvc" / "tmp"
    lock, processes = root / "dvc.lock", temporary / "rwlock"
    with ExitStack() as waiting:
        for guard in ("lock", "rwlock.lock"):
            waiting.enter_context(held(temporary / guard))
        if _damaged(lock, _check_lock):
            committed = _committed(root)
            if committed is None:
                lock.unlink()
            else:
                lock.write_bytes(committed)
            done = "removed" if committed is None else "that of the last commit again"
            yield f"dvc.lock was half written, and is {done}; finished cells are kept"
        if _damaged(processes, json.loads):
            processes.unlink()
            yield f"{processes.relative_to(root)} was half written, and is removed"


def _check_lock(text: str) -> None:
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    COMPILED_LOCKFILE_SCHEMA(yaml.load(text, loader))


def _damaged(file: Path, check: Callable[[str], object]) -> bool:
    from voluptuous import Invalid

    try:
        check(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (yaml.YAMLError, Invalid, ValueError):
        return True
    return False


def _committed(root: Path) -> bytes | None:
    """The dvc.lock of the last commit, None where there is none."""
    show = ["git", "show", "HEAD:./dvc.lock"]
    try:
        return subprocess.run(show, cwd=root, capture_output=True, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def main() -> None:
    """Mend what lies here."""
    for line in mend(Path()):
        print(line)


if __name__ == "__main__":
    main()
