"""How torch's threads wait is settled before torch is loaded, unless somebody has chosen."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from las.hosts.openmp import SPINS

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def after(code: str, **chosen: str) -> dict[str, str]:
    """The variables in a fresh process once it has run some code."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    code += f"; import os; print(*(os.environ.get(name, '-') for name in {VARIABLES}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | chosen,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(VARIABLES, done.stdout.split(), strict=True))


def test_las_before_torch_lets_threads_sleep() -> None:
    assert after("import las, torch")["GOMP_SPINCOUNT"] == str(SPINS)


@pytest.mark.parametrize("name, value", [("GOMP_SPINCOUNT", "77"), ("OMP_WAIT_POLICY", "ACTIVE")])
def test_a_users_choice_stays(name: str, value: str) -> None:
    assert after("import las", **{name: value}) == {**dict.fromkeys(VARIABLES, "-"), name: value}


def test_after_torch_it_is_too_late_and_nothing_is_set() -> None:
    assert after("import torch, las") == dict.fromkeys(VARIABLES, "-")
