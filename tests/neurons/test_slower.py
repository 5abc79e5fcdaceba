"""What no kernel does is said, once for each kind of work."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch

from las.components import attention, norm
from las.components.attention import SpikingAttention
from las.components.norm import SpikingNorm
from las.components.site import HGSite, OATSite
from las.fitting import FUNCTIONS, fit
from las.neurons import OAT, code_hg, code_oat, fused, tensors
from las.neurons.slower import say_slower

NEURON = OAT((5.0, 320.0), (8.0,))
RANGES = {
    "exp": (-60.0, 0.0),
    "reciprocal": (1.0, 64.0),
    "square": (-300.0, 300.0),
    "inverse_sqrt": (1e-6, 1e5),
}


def set_up(component):
    for part in component.modules():
        if isinstance(part, OATSite):
            part.neuron = NEURON
        elif isinstance(part, HGSite):
            part.neuron = fit(FUNCTIONS[part.function], *RANGES[part.function], 16).neuron
    return component


@pytest.fixture
def on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Components choose as on a GPU with Triton, whose kernel for attention has little room."""
    gpu = pytest.importorskip("las.neurons.gpu", exc_type=ImportError)
    for module in (attention, norm):
        monkeypatch.setattr(module, "has_kernels", lambda x: False)
        monkeypatch.setattr(module, "has_triton", lambda x: True)
    monkeypatch.setattr(gpu.attention, "WIDEST", 64)
    monkeypatch.setattr(gpu, "WIDEST", 64)
    monkeypatch.setattr(norm, "WIDEST", 16)


def test_each_kind_is_said_once(nothing_said) -> None:
    with pytest.warns(UserWarning) as warned:
        for number in range(3):
            say_slower("one", f"one, {number}")
            say_slower("another", f"another, {number}")
    assert [str(one.message) for one in warned] == ["one, 0", "another, 0"]


def test_a_warning_that_is_an_error_is_one_each_time(nothing_said) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(UserWarning, match="slow"):
                say_slower("one", "slow")


def test_a_compiled_model_says_it_without_a_break_of_its_graph(nothing_said) -> None:
    def double(x):
        say_slower("compiled", "slow")
        return 2 * x

    compiled = torch.compile(double, backend="eager", fullgraph=True)
    with pytest.warns(UserWarning, match="slow") as warned:
        assert torch.equal(compiled(torch.ones(3)), torch.full((3,), 2.0))
        compiled(torch.ones(3))
    assert len(warned) == 1


def test_heads_that_the_kernel_has_no_room_for(nothing_said, on_gpus) -> None:
    attend = set_up(SpikingAttention())
    x = torch.randn(1, 2, 3, 20)
    with torch.no_grad(), pytest.warns(UserWarning, match=r"64 bytes.*these are of 20 x 4") as said:
        for _ in range(2):
            attend(x, x, x, None, 0.2)
    assert [one for one in said if "attention" in str(one.message)] == said.list[:1]


def test_norms_that_the_kernel_has_no_room_for(nothing_said, on_gpus) -> None:
    normalise = set_up(SpikingNorm(None, None, eps=1e-5, centred=True))
    with torch.no_grad(), pytest.warns(UserWarning, match=r"17 channels.*16 channels at most") as s:
        for _ in range(2):
            normalise(torch.randn(2, 3, 17))
    assert len(s) == 1


def test_who_observes_wants_no_kernel_and_hears_nothing(nothing_said, on_gpus) -> None:
    attend = set_up(SpikingAttention())
    looking = SimpleNamespace(observe=lambda site, x, importance: x)
    with warnings.catch_warnings(), torch.no_grad(), attend.run.observed(looking):
        warnings.simplefilter("error")
        attend(*[torch.randn(1, 2, 3, 20)] * 3, None, 0.2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_on_the_cpu_fires_as_it_does_in_float32(nothing_said, dtype) -> None:
    x = (torch.randn(500) * torch.logspace(-4, 3, 500)).to(dtype)
    exponential = fit(FUNCTIONS["exp"], -60.0, 0.0, 16).neuron
    with pytest.warns(UserWarning, match=f"not for {str(dtype)[6:]}; load .* in float32") as warned:
        codes = code_oat(x, NEURON, True), code_hg(x, exponential, True)
    assert len(warned) == 1
    wide = code_oat(x.float(), NEURON, True), code_hg(x.float(), exponential, True)
    composed = tensors.code_oat(x, NEURON, True, None), tensors.code_hg(x, exponential, True, None)
    for ours, theirs, others in zip(codes, wide, composed, strict=True):
        assert ours.value.dtype == dtype
        assert torch.equal(ours.value, theirs.value.to(dtype))
        assert torch.equal(ours.value, others.value)
        assert torch.equal(ours.packed, theirs.packed) and torch.equal(ours.packed, others.packed)
        assert ours.firing == theirs.firing == others.firing
        assert ours.out_of_range == theirs.out_of_range == others.out_of_range


@pytest.mark.parametrize(
    ("device", "dtype", "said"),
    [
        ("cuda", torch.float64, "kernels for float32, bfloat16 and float16 on GPUs"),
        ("mps", torch.float32, "no kernels for the device 'mps'"),
        ("meta", torch.float32, None),
        ("cuda", None, None),
    ],
)
def test_other_devices_and_dtypes(device, dtype, said, nothing_said, monkeypatch) -> None:
    """Without Triton, which the last case lacks, it is said where nothing is compiled."""
    monkeypatch.setattr(tensors, "triton_is_there", lambda: dtype is not None)
    x = SimpleNamespace(device=torch.device(device), dtype=dtype or torch.float32)
    monkeypatch.setattr(tensors, "code_oat", lambda *args: None)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(2):
            fused.code_oat(x, NEURON)
    assert [said in str(one.message) for one in warned] == ([] if said is None else [True])
