"""The fused path in PyTorch operations: the kernels' twin on other devices."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

import las
from las.components import attention, feed_forward, norm
from las.components.site import Site
from las.fitting import FUNCTIONS, fit
from las.neurons import HG, OAT, code_hg, code_oat, fused, tensors
from tests.tiny_models import plain

OATS = [
    OAT((2.0, 40.0), (1.5,), 16, 5),
    OAT((2.0,), (), 8, 1, "floor"),
    OAT((1.0, 9.0, 300.0), (0.7, 8.0), 12, 15, "half_step"),
    OAT((2.0, 40.0), (1.5,), 16, 16, "signed"),
    OAT((2.0,), (), 8, 1, "signed"),
    OAT((1.0, 9.0, 300.0), (0.7, 8.0), 32, 5, "signed"),
]


@pytest.fixture(scope="module")
def silu() -> HG:
    return fit(FUNCTIONS["silu"], -30.0, 200.0, 16).neuron


@pytest.fixture(scope="module")
def exponential() -> HG:
    return fit(FUNCTIONS["exp"], -60.0, 0.0, 16).neuron


def values(dtype: torch.dtype) -> torch.Tensor:
    torch.manual_seed(0)
    special = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan, 1e30, -1e-40, 1.5, -0.7])
    return torch.cat([torch.randn(500) * torch.logspace(-4, 3, 500), special]).to(dtype)


def assert_same(a, b) -> None:
    assert torch.equal(a.value.nan_to_num(nan=7e7), b.value.nan_to_num(nan=7e7))
    assert torch.equal(a.packed, b.packed)
    assert a.firing == b.firing
    assert (a.spikes, a.out_of_range) == (b.spikes, b.out_of_range)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("stop", [None, 1, 5])
@pytest.mark.parametrize("neuron", OATS)
def test_oat_neurons_do_what_the_kernel_does(neuron: OAT, stop, dtype) -> None:
    x = values(dtype)
    assert_same(tensors.code_oat(x, neuron, True, stop), code_oat(x, neuron, True, stop))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("stop", [None, 1, 5])
@pytest.mark.parametrize("function", ["silu", "exponential"])
def test_hg_neurons_do_what_the_kernel_does(function, stop, dtype, request) -> None:
    neuron = request.getfixturevalue(function)
    x = values(dtype)
    assert_same(tensors.code_hg(x, neuron, True, stop), code_hg(x, neuron, True, stop))


@pytest.mark.slow
@pytest.mark.parametrize("count", [True, False])
def test_all_lengths_and_all_sites_share_one_build(count, monkeypatch, silu) -> None:
    """As on a GPU, but for the last stage of the compiler."""
    backend = CompileCounterWithBackend("aot_eager")
    compiled: dict[object, object] = {}

    def compile_once(function):
        if function not in compiled:
            compiled[function] = torch.compile(function, dynamic=True, backend=backend)
        return compiled[function]

    monkeypatch.setattr(tensors, "_run", lambda f, device, *args: compile_once(f)(*args))
    torch._dynamo.reset()
    builds = []
    for length in (7, 64, 1000, 33):
        x = torch.randn(length) * 3
        for neuron in (OATS[0], OAT((3.0, 90.0), (2.5,), 16, 5)):
            expected = code_oat(x, neuron, count)
            assert torch.equal(tensors.code_oat(x, neuron, count, None).value, expected.value)
        assert torch.equal(
            tensors.code_hg(x, silu, count, None).value, code_hg(x, silu, count).value
        )
        builds.append(backend.frame_count)
    assert len(compiled) == 2  # one for OAT and one for HG neurons
    assert builds[0] > 0
    assert builds == builds[:1] * 4


class Counting:
    """A compiler's backend that counts how often what it has built is called."""

    def __init__(self) -> None:
        self.builds = self.calls = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: object) -> object:
        self.builds += 1

        def run(*args: object) -> object:
            self.calls += 1
            return graph.forward(*args)

        return run


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    """Neurons are compiled on this CPU as on a GPU, and counted."""
    backend = Counting()
    compile_ = torch.compile
    monkeypatch.setattr(tensors, "_COMPILED_ON", ("cpu",))
    monkeypatch.setattr(
        torch, "compile", lambda f, **options: compile_(f, backend=backend, **options)
    )
    torch._dynamo.reset()
    tensors._compiled.cache_clear()
    yield backend
    tensors._compiled.cache_clear()
    torch._dynamo.reset()


def test_without_triton_a_gpu_runs_neurons_eagerly_and_says_so_once(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, nothing_said
) -> None:
    monkeypatch.setattr(tensors, "triton_is_there", lambda: False)
    on_gpu = SimpleNamespace(device=torch.device("cuda"), dtype=torch.float32)
    assert not fused.has_triton(on_gpu)
    x = values(torch.float32)
    with pytest.warns(UserWarning, match="Triton is not installed: pip install triton") as warned:
        given = [tensors.code_oat(x, OATS[0], True, None) for _ in range(2)]
    assert len(warned) == 1
    assert (counting.builds, counting.calls) == (0, 0)
    assert_same(given[1], code_oat(x, OATS[0], True))


def test_with_the_compiler_switched_off_neurons_run_eagerly_and_it_is_said_once(
    counting: Counting, nothing_said
) -> None:
    x = values(torch.float32)
    off = torch._dynamo.config.patch(disable=True)
    said = pytest.warns(UserWarning, match="switched off: unset TORCH_COMPILE_DISABLE")
    with off, said as warned:
        given = [tensors.code_oat(x, OATS[0], True, None) for _ in range(2)]
    assert len(warned) == 1
    assert counting.builds == 0
    assert_same(given[1], code_oat(x, OATS[0], True))


def test_what_the_compiler_fails_on_runs_eagerly_and_it_is_said_once(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, nothing_said, silu: HG
) -> None:
    tried = []

    def fail(self, graph, inputs):
        tried.append(graph)
        raise RuntimeError("no such assembler")

    monkeypatch.setattr(Counting, "__call__", fail)
    monkeypatch.setattr(tensors, "_not_compiled", set())
    x = values(torch.float32)
    with pytest.warns(UserWarning, match="compile has failed: .*no such assembler") as warned:
        given = [tensors.code_hg(x, silu, True, None) for _ in range(3)]
    assert len(warned) == len(tried) == 1
    assert_same(given[2], code_hg(x, silu, True))


def test_a_sweep_of_t_and_h_stays_compiled(counting: Counting) -> None:
    """The compiler gives up on a function after eight builds."""
    x = values(torch.float32)

    def sweep() -> None:
        for time_steps in (4, 9, 12, 16):
            for levels in (1, 5, 16):
                for length in (7, 300):
                    neuron = OAT((2.0, 40.0), (1.5,), time_steps, levels)
                    expected = code_oat(x[:length], neuron)
                    before = counting.calls
                    given = tensors.code_oat(x[:length], neuron, False, None)
                    assert torch.equal(given.value, expected.value)
                    assert counting.calls > before

    sweep()
    builds = counting.builds
    sweep()
    assert counting.builds == builds


def test_an_audit_does_not_end_compiling(counting: Counting, tmp_path, monkeypatch) -> None:
    """The compiler leaves a function alone for good that it met while each operation is watched."""
    for module in (attention, feed_forward, norm, fused):
        monkeypatch.setattr(module, "has_kernels", lambda x: False)
    batches = plain.batches()
    model = las.convert(plain.llama(), batches)

    def calls(model) -> int:
        before = counting.calls
        with torch.no_grad():
            model(**batches[0])
        return counting.calls - before

    converted = calls(model)
    sites = [part for part in model.modules() if isinstance(part, Site)]
    assert converted >= len(sites)
    las.audit(model, batches[0])
    assert calls(model) == converted
    las.save(model, tmp_path / "adapter")
    assert calls(las.load(plain.llama(), tmp_path / "adapter")) == converted
    assert calls(model) == converted
