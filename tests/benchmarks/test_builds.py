from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")


def built(*options: str) -> list[list[str]]:
    """The rows of the table; the tests' own process has Triton's interpreter."""
    environment = {name: x for name, x in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "benchmarks.builds", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]


def test_kernels_build_for_a_card_that_is_not_here_and_fuse_nothing() -> None:
    kernels = "code_oat", "code_hg", "gate", "normalise"
    rows = built("--kernels", *kernels, "--capabilities", "90", "--dtypes", "bfloat16")
    assert len(rows) == 2 * len(kernels)  # with and without counting
    for *_, registers, stack, _, fused in rows:
        assert 0 < int(registers) <= 255
        assert (int(stack), int(fused)) == (0, 0)


@pytest.mark.slow
def test_attention_builds_for_a_card_that_is_not_here() -> None:
    """It fits into what a program of a 3090 has, the smallest of them."""
    rows = built("--kernels", "attend", "--capabilities", "86", "--dtypes", "bfloat16")
    assert len(rows) == 2
    for *_, shared, fused in rows:
        assert int(shared) <= 99
        assert int(fused) == 0
