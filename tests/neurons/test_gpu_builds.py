"""How many builds of the kernels for GPUs there are: each takes seconds when it is first needed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from las.fitting import FUNCTIONS, fit
from las.neurons import OAT
from tests import DEVICE

jit: Any = pytest.importorskip("triton.runtime.jit")
compiler: Any = pytest.importorskip("triton.compiler")
backends: Any = pytest.importorskip("triton.backends.compiler")
kernels: Any = pytest.importorskip("las.neurons.gpu")

CODERS = [
    OAT((8.0, 64.0), (9.0,), *rest)
    for rest in ((16, 5), (1, 7), (7, 16, "floor"), (32, 3, "signed"), (10, 1, "half_step"))
]
FITTED = [
    fit(FUNCTIONS[name], *ends, time_steps).neuron
    for name, ends, time_steps in (
        ("exp", (-60.0, 0.0), 16),
        ("silu", (-30.0, 200.0), 7),
        ("reciprocal", (1.0, 64.0), 4),
    )
]


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Triton's keys of the builds that launches ask for, by kernel; nothing is launched."""
    from las.neurons.gpu import attention, coding, norm
    from las.neurons.gpu.gate import _gate

    found: dict[str, set[str]] = {}
    backend = compiler.make_backend(backends.GPUTarget("cuda", 90, 32))

    def watch(kernel: Any) -> None:
        compiled = kernel
        if not isinstance(kernel, jit.JITFunction):  # the interpreter's
            numbers = kernel.kwargs["do_not_specialize"]
            compiled = jit.JITFunction(kernel.fn, do_not_specialize=numbers)
        bind = jit.create_function_from_signature(compiled.signature, compiled.params, backend)

        def run(*args: Any, grid: Any, warmup: bool, **options: Any) -> None:
            _, specialised, rest = bind(*args, **options)
            key = jit.compute_cache_key({}, specialised, rest)
            found.setdefault(kernel.fn.__name__, set()).add(key)

        monkeypatch.setattr(kernel, "run", run)

    for kernel in (coding._code_oat, coding._code_hg, _gate, norm._normalise, attention._attend):
        watch(kernel)
    return found


@pytest.mark.parametrize("count", [False, True])
def test_one_build_serves_all_time_steps_stops_functions_and_lengths(builds, count: bool) -> None:
    """Of rows that 16 divides: other ones are read in smaller pieces, by a build of their own."""
    for number, coder in enumerate(CODERS):
        function, other = FITTED[number % 3], FITTED[(number + 1) % 3]
        for stop in (None, 1, 4):
            for length in (1, 17, 64):
                x = torch.zeros(2, length, 32, device=DEVICE)
                kernels.code_oat(x, coder, count, stop)
                kernels.code_hg(x, function, count, stop)
                kernels.gate(x, x, (function, coder), None, count, stop)
                neurons = (function, other, coder, coder)
                kernels.normalise(x, None, None, 1e-5, True, neurons, None, count, stop)
                query = x.new_zeros(2, 4, 16 + length, 32)
                key = x.new_zeros(2, 2, 7 * length, 32)
                seen = torch.ones(1, 1, 16 + length, 7 * length, dtype=torch.bool, device=DEVICE)
                rest = ((function, other, coder), None, None, count, stop)
                kernels.attend(query, key, key, seen, None, 0.2, *rest)
    assert {name: len(keys) for name, keys in builds.items()} == dict.fromkeys(
        ("_code_oat", "_code_hg", "_gate", "_normalise", "_attend"), 1
    )


def test_few_queries_and_other_dtypes_have_builds_of_their_own(builds) -> None:
    """The count above can tell builds apart."""
    for queries in (1, 40):
        for dtype in (torch.float32, torch.bfloat16):
            query = torch.zeros(1, 2, queries, 32, dtype=dtype, device=DEVICE)
            neurons = (*FITTED[:2], CODERS[0])
            kernels.attend(query, query, query, None, None, 0.2, neurons, None, None, False, None)
    assert len(builds["_attend"]) == 4
