"""Layers whose output goes straight into a norm code small tokens as finely as large ones."""

from __future__ import annotations

import torch
from torch import nn
from transformers import LlamaForCausalLM, Olmo2ForCausalLM

from las.calibration import collect
from las.calibration.normalised import marking_normalised
from las.components.exact import Exact
from las.components.linear import SpikingLinear
from las.components.norm import SpikingNorm
from las.components.running import observing
from las.conversion.prepare import prepare
from tests.tiny_models import plain


def scale_free_layers(model: nn.Module) -> set[str]:
    batch = {"input_ids": torch.arange(64).view(2, 32)}
    statistics = collect(prepare(model.eval()), [batch])
    return {
        name.removesuffix(".site")
        for name, entry in statistics.sites.items()
        if entry.scale_free and name.endswith(".site")
    }


def test_of_a_model_that_normalises_after_its_layers() -> None:
    """The queries and keys of OLMo 2 are normalised, too: all that reads the stream is."""
    layer = "model.layers.0"
    found = scale_free_layers(plain.make(Olmo2ForCausalLM, num_hidden_layers=1))
    assert found == {f"{layer}.{name}" for name in ("self_attn.q_proj", "self_attn.o_proj",
                                                    "mlp.down_proj")}  # fmt: skip


def test_none_of_a_model_that_normalises_before_them() -> None:
    assert not scale_free_layers(plain.make(LlamaForCausalLM, num_hidden_layers=1))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.straight = SpikingLinear(nn.Parameter(torch.eye(3)), None)
        self.around = SpikingLinear(nn.Parameter(torch.eye(3)), None)
        self.norm = SpikingNorm(None, None, 1e-6, centred=False)

    def forward(self, x: torch.Tensor) -> None:
        self.norm(self.straight(x))
        self.norm(x + self.around(x))


def test_a_sum_is_another_tensor_and_hooks_are_removed() -> None:
    block = Block()
    with observing(block, Exact()), marking_normalised(block):
        block(torch.ones(2, 3))
    assert block.straight.site.scale_free
    assert not block.around.site.scale_free
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in block.modules())
