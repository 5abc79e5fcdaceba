"""What a conversion was proved to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Spent:
    """A budget and what became of it (see `Loss`).

    Attributes:
        budget: the loss that is allowed.
        predicted: what the errors of all sites add to the loss: their scatter as gradients tell
            it, their means as they do together (see `Weighed.predicted`).
        measured: on calibration data other than told what errors cost, or half of what those lose,
            where that is more. The choice with the loss nearest to the budget was taken; nothing
            else of it was chosen by these data.
    """

    budget: float
    predicted: float
    measured: float

    def to_dict(self) -> dict[str, float]:
        """As plain data for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"loss                      {self.measured:.1e}   of the {self.budget:.1e} allowed, "
            f"predicted {self.predicted:.1e}"
        )


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion was proved to be, on one row of the first calibration batch.

    Errors are relative to the size of the original's outputs.

    Attributes:
        structure_error: of the outputs with exact neurons: rounding.
        output_error: of the outputs of the spiking model.
        worst_site: the component that is farthest from its original on the same inputs.
        worst_site_error: how far.
        out_of_range: share of the inputs of all neurons that lay beyond their range.
    """

    structure_error: float
    output_error: float
    worst_site: str
    worst_site_error: float
    out_of_range: float

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ConversionReport:
        """Inverse of `to_dict`."""
        return cls(**data)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"error of the outputs      {self.output_error:.1e}   with exact neurons "
                f"{self.structure_error:.1e}",
                f"worst site                {self.worst_site_error:.1e}   {self.worst_site}",
                f"inputs out of range       {self.out_of_range:.1e}",
            ]
        )
