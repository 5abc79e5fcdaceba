"""Teach las a module that it does not know: a norm with one gain for all channels.

python examples/add_an_architecture.py
"""

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

import las
from las.components.norm import SpikingNorm


class ScaleNorm(nn.Module):
    """g x / |x|, with one number g."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.tensor(width**0.5))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., width) -> (..., width)."""
        return self.g * x / x.norm(dim=-1, keepdim=True)


class SpikingScaleNorm(SpikingNorm):
    """Eq. 14 without mean, gain and offset; |x| is sqrt(width) times the root mean square."""

    def __init__(self, norm: ScaleNorm) -> None:
        super().__init__(weight=None, bias=None, eps=0.0, centred=False)
        self.g = norm.g

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., width) -> (..., width), weighed by a constant."""
        return super().forward(x) * (self.g / x.shape[-1] ** 0.5)


torch.manual_seed(0)
model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4)).eval()
for block in model.transformer.h:
    block.ln_1, block.ln_2 = ScaleNorm(32), ScaleNorm(32)
model.transformer.ln_f = ScaleNorm(32)
batches = [{"input_ids": torch.randint(64, (2, 24))} for _ in range(4)]

try:
    las.convert(model, batches)
except las.errors.UnsupportedModelError as error:
    print(f"before: {error}\n")


@las.converts(ScaleNorm)
def spiking(norm: ScaleNorm) -> nn.Module:
    """What is to stand in the place of a ScaleNorm."""
    return SpikingScaleNorm(norm)


las.convert(model, batches)
print(f"after:\n{model.las_report}")
