"""Figures added up on a device against those of the compiled kernel, on the CPU or on a card."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import BertModel, OPTForCausalLM

from las.calibration import SiteStatistics, choose_thresholds, collect, device_histogram
from las.calibration.bins import BINS, LOW_EXPONENT, SUB_BITS
from las.calibration.device_histogram import DeviceFigures
from las.calibration.histogram import magnitude_histogram
from las.components.site import HGSite
from las.config import SpikeConfig
from las.conversion import prepare
from las.errors import CalibrationError
from tests import DEVICE
from tests.tiny_models import plain

ROUNDING = 1e-12
WAITING = {
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.nonzero.default,
    torch.ops.aten.index.Tensor,
    torch.ops.aten.masked_select.default,
    torch.ops.aten.bincount.default,
}
"""What waits for a GPU, to know a number or how many there are."""
SPECIAL = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e-42, -1e-20, 1e30, -(2.0**-40)]


def values(seed: int, rows: int, width: int, special: bool) -> Tensor:
    """Magnitudes of all sizes; special ones here and there."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, width, generator=generator)
    x *= torch.exp(8 * torch.randn(rows, width, generator=generator))
    if special:
        at = torch.randint(len(SPECIAL) * 3, (rows, width), generator=generator)
        x = torch.where(at < len(SPECIAL), torch.tensor(SPECIAL)[at.clamp_max(8)], x)
    return x


def kernel(x: Tensor, columns: Tensor, rows: Tensor) -> tuple[Any, Any, Any]:
    """Counts, weighted counts and figures by the CPU's kernel."""
    bits = x.view(torch.int32).numpy()
    numbers = x.numpy(), bits, columns.double().numpy(), rows.double().numpy()
    return magnitude_histogram(*numbers, LOW_EXPONENT, SUB_BITS, BINS)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(1, 12),
    st.booleans(),
    st.sampled_from(["plain", "columns", "scale-free"]),
    st.sampled_from([2**22, 30]),
    st.booleans(),
)
def test_the_figures_are_those_of_the_kernel(
    seed: int, rows: int, width: int, special: bool, weighed: str, part: int, hides: bool
) -> None:
    x = values(seed, rows, width, special and weighed != "scale-free")
    keep = torch.arange(rows) % 3 != 1 if hides else torch.ones(rows, dtype=torch.bool)
    kept = x[keep]
    columns, weights = torch.linspace(0.1, 7, width), torch.ones(len(kept))
    if weighed == "scale-free":
        columns, weights = torch.ones(width), 1 / kept.square().mean(-1).clamp_min(1e-30)
    elif weighed == "plain":
        columns = weights = torch.ones(0)
    plain_counts, heavy, wanted = kernel(kept, columns, weights)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_histogram, "_PART", part)
        figures = DeviceFigures(torch.device(DEVICE))
        figures.add(
            x.to(DEVICE),
            keep.to(DEVICE) if hides else None,
            columns if weighed == "columns" else None,
            weighed == "scale-free",
            with_peaks=True,
        )
    assert np.array_equal(figures.plain.cpu().numpy(), plain_counts)
    tolerance = 1e-6 if weighed == "scale-free" and DEVICE == "cuda" else ROUNDING
    assert np.allclose(figures.heavy.cpu().numpy(), heavy, rtol=tolerance, atol=0)
    count, low, high, total, squares, masked, broken = wanted
    assert figures.counts.tolist() == [count, masked, broken]
    if count:
        assert [-figures.extremes[0].item(), figures.extremes[1].item()] == [low, high]
    finite = torch.where(kept.isfinite(), kept, 0).double()
    largest = float(finite.abs().sum())
    assert figures.moments[0].item() == pytest.approx(total, rel=0, abs=ROUNDING * largest)
    assert figures.moments[1].item() == pytest.approx(squares, rel=ROUNDING)
    if len(kept):
        assert figures.peaks is not None
        assert torch.equal(figures.peaks.cpu().double(), finite.abs().amax(0))


def test_figures_of_two_tensors_are_those_of_both_in_one() -> None:
    x, columns = values(3, 30, 5, special=False), torch.linspace(1, 2, 5)
    both, one = DeviceFigures(torch.device(DEVICE)), DeviceFigures(torch.device(DEVICE))
    for part in (x[:11], x[11:]):
        both.add(part.to(DEVICE), columns=columns, with_peaks=True)
    one.add(x.to(DEVICE), columns=columns, with_peaks=True)
    entries = [SiteStatistics("oat"), SiteStatistics("oat")]
    both.add_to(entries[0])
    one.add_to(entries[1])
    same(*entries)


def test_nothing_seen_leaves_the_statistics_as_they_were() -> None:
    figures = DeviceFigures(torch.device(DEVICE))
    figures.add(torch.zeros(0, 4, device=DEVICE))
    hidden = torch.zeros(3, dtype=torch.bool, device=DEVICE)
    figures.add(torch.ones(3, 4, device=DEVICE), hidden, with_peaks=True)
    entry = SiteStatistics("oat")
    figures.add_to(entry)
    assert (entry.count, entry.low, entry.channel_peak.size) == (0, float("inf"), 0)


def same(ours: SiteStatistics, theirs: SiteStatistics, rounding: float = ROUNDING) -> None:
    """Counts to the last one, sums but for the rounding of float64."""
    assert (ours.kind, ours.scale_free, ours.keys) == (theirs.kind, theirs.scale_free, theirs.keys)
    assert (ours.count, ours.low, ours.high) == (theirs.count, theirs.low, theirs.high)
    assert np.array_equal(ours.histogram, theirs.histogram)
    assert np.array_equal(ours.channel_peak, theirs.channel_peak)
    assert np.allclose(ours.importance, theirs.importance, rtol=rounding, atol=0)
    assert ours.squares == pytest.approx(theirs.squares, rel=ROUNDING)
    largest = theirs.count * theirs.peak
    assert ours.total == pytest.approx(theirs.total, rel=0, abs=ROUNDING * largest)


MODULE = importlib.import_module(
    "las.calibration.collect"
)  # the package has a function of this name


@pytest.fixture
def on_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors on the CPU are counted as those on a GPU are."""
    monkeypatch.setattr(MODULE, "_COUNTED_ON_DEVICES", ("cpu", "cuda"))


FAMILIES: dict[str, Any] = {
    "llama": plain.llama,
    "bert": lambda: plain.make(BertModel),
    "opt": lambda: plain.make(OPTForCausalLM),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_has_the_same_statistics_and_thresholds(family: str, request: Any) -> None:
    """The batches are padded; softmax sees masked scores, norms weigh tokens by their size."""
    theirs = collect(prepare(FAMILIES[family]()), plain.batches())
    request.getfixturevalue("on_devices")
    ours = collect(prepare(FAMILIES[family]()), plain.batches())
    assert list(ours.sites) == list(theirs.sites)
    assert (ours.shared, ours.tokens) == (theirs.shared, theirs.tokens)
    for name, site in theirs.sites.items():
        same(ours.sites[name], site)
    thresholds = [choose_thresholds(one, SpikeConfig()).sites for one in (ours, theirs)]
    assert thresholds[0] == thresholds[1]


def test_nothing_is_copied_from_the_device_for_each_site(
    on_devices: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the model runs, no tensor of a neuron site is brought to the host or asked for."""
    asked: list[str] = []
    model = prepare(plain.llama())
    collect(model, plain.batches(1))  # which layers read the same tensor is known afterwards

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if function in WAITING:
                asked.append(str(function))
            return function(*args, **kwargs or {})

    observe = MODULE.Recorder.observe

    def watched(*args: Any) -> Tensor:
        with Watching():
            return observe(*args)

    monkeypatch.setattr(MODULE.Recorder, "observe", watched)
    collect(model, plain.batches(1))
    assert asked == []
    monkeypatch.setattr(MODULE, "_COUNTED_ON_DEVICES", ())
    collect(model, plain.batches(1))
    assert asked != []  # rows without padding are looked for, as they are on the host


def test_broken_activations_are_named_at_the_end_of_the_batch(
    on_devices: None, probe: Any, tokens: dict[str, Tensor]
) -> None:
    for number in (float("nan"), float("inf"), -float("inf")):
        table = torch.ones(64, 3)
        table[7, 1] = number
        with pytest.raises(CalibrationError, match="NaN or infinite activations at site"):
            collect(probe(table), [tokens])
        hidden = {**tokens, "attention_mask": (tokens["input_ids"] != 7).long()}
        assert collect(probe(table), [hidden]).sites["site"].count == 63 * 3
    table = torch.full((64, 3), -2.0)
    table[7, 1] = -float("inf")
    assert collect(probe(table, HGSite("exp")), [tokens]).sites["site"].count == 64 * 3 - 1


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
def test_a_model_on_a_gpu_is_calibrated_as_on_the_cpu() -> None:
    """Matrix products differ in their last bits there, and thresholds by no more."""
    theirs = collect(prepare(plain.llama()), plain.batches())
    moved = [{name: x.to(DEVICE) for name, x in batch.items()} for batch in plain.batches()]
    ours = collect(prepare(plain.llama().to(DEVICE)), moved)
    assert ours.tokens == theirs.tokens
    for name, site in theirs.sites.items():
        found = ours.sites[name]
        assert found.count == site.count
        apart = np.abs(np.cumsum(found.histogram) - np.cumsum(site.histogram)).max()
        assert apart <= 1 + 1e-3 * site.count
        assert found.squares == pytest.approx(site.squares, rel=1e-4)
