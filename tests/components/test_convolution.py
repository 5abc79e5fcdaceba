"""Convolutions that read spikes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import las
from las.components.convolution import spiking_convolution
from las.components.running import observing
from las.errors import UnsupportedModelError

PATCHES = {
    "patches": (nn.Conv2d, (3, 8, 4, 4), (2, 3, 12, 8)),
    "patches of two frames": (nn.Conv3d, (3, 8, (2, 4, 4), (2, 4, 4)), (5, 3, 2, 4, 4)),
}
OTHERS = {
    "overlapping": (nn.Conv2d, (3, 8, 3), {"padding": 1}, (2, 3, 7, 5)),
    "kept in size": (nn.Conv2d, (3, 8, 3), {"padding": "same", "dilation": 2}, (2, 3, 7, 5)),
    "grouped": (nn.Conv2d, (4, 6, 3), {"groups": 2, "bias": False}, (2, 4, 7, 5)),
    "with gaps": (nn.Conv1d, (4, 6, 2), {"stride": 3}, (2, 4, 11)),
}


@pytest.mark.parametrize("case", OTHERS)
def test_both_paths_agree(case, spiking, assert_one_truth):
    torch.manual_seed(0)
    kind, sizes, options, shape = OTHERS[case]
    convolution = kind(*sizes, **options).double()
    x = torch.randn(shape, dtype=torch.float64) * 20
    spikes = spiking(spiking_convolution(convolution))
    assert torch.allclose(assert_one_truth(spikes, lambda: spikes(x)), convolution(x), atol=1e-1)


@pytest.mark.parametrize("case", PATCHES)
def test_a_patch_embedding_is_a_linear_layer_on_patches(case, spiking, assert_one_truth):
    torch.manual_seed(0)
    kind, sizes, shape = PATCHES[case]
    spikes = spiking(spiking_convolution(kind(*sizes).double()))
    x = torch.randn(shape, dtype=torch.float64)
    patches = spikes.site(x.movedim(1, -1)).value.movedim(-1, 1)
    for dim, size in enumerate(spikes.weight.shape[2:], start=2):
        patches = patches.unfold(dim, size, size)
    space = x.dim() - 2  # (B, in, *grid, *kernel) -> (B, *grid, in, *kernel)
    flat = patches.movedim(1, 1 + space).flatten(1 + space)
    expected = nn.functional.linear(flat, spikes.weight.flatten(1), spikes.bias)
    y = assert_one_truth(spikes, lambda: spikes(x))
    assert torch.allclose(y.movedim(1, -1), expected, rtol=1e-12, atol=1e-12)


def test_a_spike_of_a_patch_costs_one_accumulation_for_each_output(spiking):
    spikes = spiking(spiking_convolution(nn.Conv2d(3, 8, 4, 4)))
    with las.count_spikes(spikes) as tally:
        spikes(torch.randn(2, 3, 12, 8, dtype=torch.float64))
    operation = tally.operations["top"]
    assert operation.sops == 8 * tally.sites["top.site"].spikes > 0
    assert operation.macs == 2 * (3 * 12 * 8) * 8
    assert tally.sites["top.site"].activations == 2 * 3 * 12 * 8


def test_where_patches_overlap_each_output_that_reads_a_spike_costs_one(spiking):
    """One row of four inputs, three weights wide, zeros beside it: 2, 3, 3 and 2 places read."""
    spikes = spiking(spiking_convolution(nn.Conv1d(1, 5, 3, padding=1)))
    x = torch.tensor([[[1.0, -2.0, 0.0, 0.5]]], dtype=torch.float64)
    with las.count_spikes(spikes) as tally:
        counts = spikes.site(x).counts[0, 0].tolist()
        spikes(x)
    assert counts[2] == 0 < counts[0]
    read = sum(count * places for count, places in zip(counts, (2, 3, 3, 2), strict=True))
    assert tally.operations["top"].sops == 5 * read


def test_pixels_that_no_patch_reads_cost_nothing(spiking):
    spikes = spiking(spiking_convolution(nn.Conv2d(1, 2, 4, 4)))
    x = torch.zeros(1, 1, 5, 4, dtype=torch.float64)
    x[..., 4, :] = 1
    with las.count_spikes(spikes) as tally:
        spikes(x)
    assert tally.operations["top"].sops == 0


def test_weight_and_bias_stay_the_very_parameters_of_the_layer():
    convolution = nn.Conv2d(3, 8, 4, 4)
    spikes = spiking_convolution(convolution)
    assert spikes.weight is convolution.weight
    assert spikes.bias is convolution.bias
    assert set(spikes.state_dict()) == {"weight", "bias"}


def test_a_channel_counts_as_much_as_the_weights_that_read_it(spiking):
    found = []

    class Importance:
        def observe(self, site, x, importance):
            assert x.shape == (2, 7, 5, 4)
            found.append(importance())
            return x

    convolution = nn.Conv2d(4, 6, 3, groups=2)
    spikes = spiking_convolution(convolution)
    with observing(spikes, Importance()):
        spikes(torch.randn(2, 4, 7, 5))
    weight = convolution.weight.detach()
    first = float(weight[:3, 0].square().sum())
    last = float(weight[3:, 1].square().sum())
    (weights,) = found
    assert weights[0].item() == pytest.approx(first)
    assert weights[3].item() == pytest.approx(last)


def test_padding_with_anything_but_silence_is_an_error():
    with pytest.raises(UnsupportedModelError, match="reflect"):
        spiking_convolution(nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"))
