"""Number formats of weights and activations, and what their products are added up in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NumberFormat:
    """The format of weights and activations, the same on both sides of a comparison.

    Attributes:
        name: "fp32", "bf16", or "int" with its bits.
        bits: of one number.
        accumulator: the 32-bit format in which products, and the weights that spikes select, are
            added up, as matrix units do: "fp32" or "int32".
    """

    name: str
    bits: int
    accumulator: str

    @property
    def title(self) -> str:
        """As it is shown."""
        return self.name.upper()


FP32 = NumberFormat("fp32", 32, "fp32")
BF16 = NumberFormat("bf16", 16, "fp32")
INT8 = NumberFormat("int8", 8, "int32")


def integers(bits: int) -> NumberFormat:
    """Integers of some bits: T of them hold what T time steps code."""
    return NumberFormat(f"int{bits}", bits, "int32")
