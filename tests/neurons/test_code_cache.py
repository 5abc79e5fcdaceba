"""Compiled code is kept where that can be done; where it cannot, the kernels work all the same."""

from __future__ import annotations

import importlib.util
import os
import random
import resource
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from las.neurons import code_cache

SOURCE = """
from las.neurons.code_cache import compiled

@compiled()
def scaled(x):
    return {factor} * x
"""
KERNELS = """
import hashlib
import torch
from las.neurons.fused import code_oat
from las.neurons.oat import OAT

neuron = OAT((1.0, 8.0), (1.5,), 4, 5)
x = torch.linspace(-9, 9, 10001)
print(hashlib.sha256(code_oat(x, neuron).value.numpy().tobytes()).hexdigest())
"""
root_alone = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become another user",
)

Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Import a file with a kernel, as a new process would; its code is kept beside it."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", "")

    def load(factor: int = 2) -> Any:
        monkeypatch.setattr(code_cache, "_warned", False)
        file = tmp_path / "kernel_of_a_test.py"
        file.write_text(SOURCE.format(factor=factor))
        spec = importlib.util.spec_from_file_location("kernel_of_a_test", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module.scaled

    return load


def hits(kernel: Any) -> int:
    return sum(kernel.stats.cache_hits.values())


def kept(tmp_path: Path, suffix: str) -> list[Path]:
    return sorted(tmp_path.glob(f"__pycache__/*.{suffix}"))


def test_code_is_compiled_once(load, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = load(), None
        assert first(3) == 6 and hits(first) == 0
        second = load()
        assert second(3) == 6 and hits(second) == 1


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_damaged_file_is_noticed_and_mended(load, tmp_path, suffix):
    load()(3)
    (file,) = kept(tmp_path, suffix)
    whole = file.read_bytes()
    generator = random.Random(0)
    damaged = [b"", whole[:-1], whole[: len(whole) // 2], b"\0" * len(whole)]
    for _ in range(8):
        flipped = bytearray(whole)
        flipped[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        damaged.append(bytes(flipped))
    for content in damaged:
        file.write_bytes(content)
        with pytest.warns(UserWarning, match="is damaged") as said:
            assert load()(3) == 6
        assert len(said) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again = load()
            assert again(3) == 6 and hits(again) == 1


def test_without_a_place_to_write_to_it_is_compiled_and_said_once(load, tmp_path, monkeypatch):
    (tmp_path / "__pycache__").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    kernel = load()
    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR") as said:
        assert kernel(3) == 6
        assert kernel(0.5) == 1.0
    assert len(said) == 1


def test_a_full_disk_is_said_once(load, monkeypatch):
    kernel = load()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.warns(UserWarning, match="cannot be written to") as said:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            values = kernel(3), kernel(0.5)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert values == (6, 1.0)
    assert len(said) == 1


def test_a_directory_in_place_of_a_file_is_said(load, tmp_path):
    load()(3)
    (index,) = kept(tmp_path, "nbi")
    index.unlink()
    index.mkdir()
    with pytest.warns(UserWarning, match="cannot be used") as said:
        assert load()(3) == 6
    assert len(said) == 1


def test_code_of_other_arguments_is_not_taken(load, tmp_path):
    """Two processes that compile at once may both name their code the first."""
    kernel = load()
    kernel(3)
    kernel(0.5)
    one, other = kept(tmp_path, "nbc")
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)
    again = load()
    assert (again(3), again(0.5)) == (6, 1.0)


def test_code_of_an_older_source_is_not_taken(load, tmp_path):
    """A process may be killed after it wrote the index, and before it wrote the code."""
    assert load(factor=3)(3) == 9
    (file,) = kept(tmp_path, "nbc")
    old = file.read_bytes()
    assert load(factor=2)(3) == 6
    file.write_bytes(old)
    assert load(factor=2)(3) == 6


@pytest.mark.slow
def test_processes_may_compile_at_once(tmp_path):
    (tmp_path / "shared.py").write_text(SOURCE.format(factor=2))
    code = "from shared import scaled; print(scaled(3), scaled(0.5))"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-W", "error", "-c", code]
    running = [
        subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate()[0].split() for process in running] == [["6", "1.0"]] * 3


@pytest.mark.slow
@root_alone
def test_another_user_without_a_home_gets_the_same_bits(tmp_path):
    def run(*prefix: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {
            k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
        }
        return subprocess.run(
            [*prefix, sys.executable, "-c", KERNELS],
            env=kept | environment,
            cwd="/",
            capture_output=True,
            text=True,
        )

    here = run(NUMBA_CACHE_DIR=str(tmp_path))
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    there = run(*nobody, HOME="/nonexistent")
    assert there.returncode == 0, there.stderr
    assert there.stdout == here.stdout != ""
    assert there.stderr.count("NUMBA_CACHE_DIR") == 1
