"""Kernels give the same bits in any number of threads, to many callers and after a fork."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

from las.calibration.bins import BINS, LOW_EXPONENT, SUB_BITS
from las.calibration.histogram import magnitude_histogram
from las.neurons import helpers
from las.neurons.fused import code_hg, code_oat
from las.neurons.helpers import run_together
from las.neurons.hg import HG, Octaves
from las.neurons.oat import OAT

OAT_NEURON = OAT((1.0, 8.0), (1.5,), 6, 5)
HG_NEURON = HG("relu", 12, None, Octaves(0, (1,)), np.zeros(3), np.ones(3), 0.0, 2.0)
SIZE = 2**18 + 3


@pytest.fixture(autouse=True, params=["of OpenMP", "of ours"])
def threads_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "of ours":
        monkeypatch.setattr(helpers, "_team", None)
    elif helpers._team is None:
        pytest.skip("torch does not work on OpenMP's threads here")


def values(seed: int, size: int = SIZE) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * 3


def histogram(x: Tensor) -> tuple[np.ndarray, ...]:
    rows = x[: len(x) // 64 * 64].view(-1, 64)
    return magnitude_histogram(
        rows.numpy(),
        rows.view(torch.int32).numpy(),
        np.linspace(0.5, 2, 64),
        np.linspace(1, 3, len(rows)),
        LOW_EXPONENT,
        SUB_BITS,
        BINS,
    )


@pytest.mark.parametrize("threads", [2, 4])
def test_the_number_of_threads_does_not_change_a_bit(threads: int) -> None:
    x = values(0)
    alone = code_oat(x, OAT_NEURON, count=True)
    torch.set_num_threads(threads)
    for _ in range(5):
        together = code_oat(x, OAT_NEURON, count=True)
        assert torch.equal(alone.value, together.value)
        assert torch.equal(alone.counts, together.counts)
        assert (alone.spikes, alone.out_of_range) == (together.spikes, together.out_of_range)


@pytest.mark.parametrize("threads", [2, 4])
def test_histograms_are_the_same_in_any_number_of_threads(threads: int) -> None:
    x = values(1)
    alone = histogram(x)
    torch.set_num_threads(threads)
    assert all(map(np.array_equal, alone, histogram(x)))
    assert alone[0].sum() == alone[2][0] == SIZE // 64 * 64


def test_callers_in_several_threads_get_what_each_gets_alone() -> None:
    inputs = [values(seed, SIZE + 64 * seed) for seed in range(6)]
    alone = [code_oat(x, OAT_NEURON, count=True) for x in inputs]
    torch.set_num_threads(3)
    start = threading.Barrier(len(inputs))

    def call(x: Tensor) -> list:
        start.wait()
        return [code_oat(x, OAT_NEURON, count=True) for _ in range(5)]

    with ThreadPoolExecutor(len(inputs)) as callers:
        for expected, results in zip(alone, callers.map(call, inputs), strict=True):
            for result in results:
                assert torch.equal(expected.value, result.value)
                assert torch.equal(expected.counts, result.counts)
                assert expected.spikes == result.spikes


def in_child(x: Tensor, results: multiprocessing.Queue) -> None:
    assert torch.get_num_threads() == 2
    results.put(code_hg(x, HG_NEURON, count=True).spikes)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    """Only the kernels: torch's own parallel operations hang in a fork, whatever the model."""
    x = values(2)
    torch.set_num_threads(2)
    spikes = code_hg(x, HG_NEURON, count=True).spikes
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=in_child, args=(x, results))
    child.start()
    child.join(60)
    hangs = child.is_alive()
    child.kill()
    assert not hangs
    assert results.get(timeout=5) == spikes


def test_an_error_in_one_thread_reaches_the_caller() -> None:
    caller, both = threading.current_thread(), threading.Barrier(2)

    def fail_elsewhere() -> None:
        both.wait()
        if threading.current_thread() is not caller:
            raise MemoryError("no room for scratch memory")

    with pytest.raises(MemoryError, match="scratch"):
        run_together(fail_elsewhere, 2)


def test_a_caller_waits_for_no_thread_that_has_not_begun(monkeypatch) -> None:
    """The only helper is kept busy by another caller, as on a machine whose cores are taken."""
    if helpers._team is not None:
        pytest.skip("a team of OpenMP's is always whole")
    monkeypatch.setattr(helpers, "_pool", None)
    begun, release = threading.Event(), threading.Event()
    done = []

    def wait() -> None:
        if threading.current_thread().name.startswith("las"):
            begun.set()
            release.wait(60)

    busy = threading.Thread(target=run_together, args=(wait, 2))
    busy.start()
    try:
        begun.wait(60)
        run_together(lambda: done.append(threading.current_thread()), 2)
        assert done == [threading.current_thread()]
    finally:
        release.set()
        busy.join()
