"""What manufacturers say of GPUs that can be planned for by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One kind of GPU.

    Attributes:
        name: as it is called.
        memory: bytes; 1e9 are a GB, as on the data sheet.
        half: operations per second of dense matrix products in float16 and bfloat16, sums in
            float32; a multiply-accumulate is two.
        single: the same in float32.
        source: of these figures.
    """

    name: str
    memory: float
    half: float
    single: float
    source: str

    def flops(self, dtype: str) -> float:
        """Operations per second with weights of a dtype, "float32", "float16" or "bfloat16"."""
        return self.single if dtype == "float32" else self.half


_NVIDIA = "NVIDIA's data sheet, SXM, without sparsity"

CARDS = {
    card.name: card
    for card in (
        Card("H200", 141e9, 989e12, 67e12, _NVIDIA),
        Card("H100", 80e9, 989e12, 67e12, _NVIDIA),
        Card("A100", 80e9, 312e12, 19.5e12, _NVIDIA),
        Card("3090", 24e9, 71e12, 35.6e12, "NVIDIA's white paper on GA102, without sparsity"),
    )
}
"""By name."""
