"""What one operation costs: the constants of Eq. 25 (Appendix E)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_EXP = 20
_SQRT = 12
_DIVISION = 1

PAPER_FUNCTION_FLOPS: Mapping[str, int] = MappingProxyType(
    {
        # Stated in Appendix E.
        "exp": _EXP,
        "sqrt": _SQRT,
        "gelu": 70,
        # Derived. The paper states no other cost, so every other function is written in its
        # cheapest form, with exp and sqrt as above and 1 FLOP for each addition, product and
        # division. The ANN is never charged more than that, which keeps the SNN's gain modest.
        "gelu_tanh": 70,  # the paper's 70 is for GELU "due to exponents in tanh"
        "reciprocal": _DIVISION,
        "inverse_sqrt": _SQRT + _DIVISION,
        "sigmoid": _EXP + 1 + _DIVISION,  # 1 / (1 + exp(-x))
        "silu": _EXP + 1 + _DIVISION + 1,  # x sigmoid(x)
        "quick_gelu": _EXP + 1 + _DIVISION + 2,  # x sigmoid(1.702 x)
        "tanh": _EXP + 2 + _DIVISION + 1,  # (e - 1) / (e + 1) with e = exp(2 x)
        "square": 1,
        "relu_squared": 1,
        "relu": 0,  # a comparison; Eq. 25 counts no comparisons, so neither softmax's maximum
    }
)


@dataclass(frozen=True)
class CostModel:
    """Energy of one operation, and how many operations a non-linear function stands for.

    Attributes:
        name: identifier, the key in `COST_MODELS`.
        mac_pj: E_MAC of Eq. 25, energy of one multiply-accumulate of the ANN, in pJ.
        ac_pj: E_AC of Eq. 25, energy of one accumulate of the SNN, in pJ.
        function_flops: FLOPs of the ANN per scalar evaluation of a non-linear function.
        note: what the model leaves out.
    """

    name: str
    mac_pj: float
    ac_pj: float
    function_flops: Mapping[str, int] = field(default_factory=lambda: PAPER_FUNCTION_FLOPS)
    note: str = ""

    def nonlinear_flops(self, evaluations: Mapping[str, int]) -> int:
        """FLOPs of the ANN for `evaluations`, a count of scalar evaluations per function.

        Raises:
            ValueError: a function has no cost in this model.
        """
        unknown = sorted(set(evaluations) - set(self.function_flops))
        if unknown:
            known = ", ".join(sorted(self.function_flops))
            raise ValueError(
                f"The cost model {self.name!r} has no cost for {', '.join(unknown)}. "
                f"It knows {known}. Pass a CostModel whose function_flops holds the missing cost."
            )
        return sum(count * self.function_flops[name] for name, count in evaluations.items())

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "name": self.name,
            "mac_pj": self.mac_pj,
            "ac_pj": self.ac_pj,
            "function_flops": dict(self.function_flops),
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CostModel:
        """Inverse of `to_dict`."""
        return cls(**data)


PAPER = CostModel(
    name="paper",
    mac_pj=4.6,
    ac_pj=0.9,
    note=(
        "Arithmetic only, 45 nm, FP32: E_MAC = 4.6 pJ, E_AC = 0.9 pJ. Outside the model: memory "
        "traffic, the level that a spike carries when H > 1, the neurons' own comparisons and "
        "resets, gating, running maxima, RoPE, and quantised ANNs."
    ),
)

COST_MODELS: dict[str, CostModel] = {PAPER.name: PAPER}
