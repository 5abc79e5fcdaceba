"""The result of an energy estimate: one row per component, and their total."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from las.energy.cost_model import CostModel


@dataclass(frozen=True)
class EnergyRow:
    """Work and energy of one component, or of several together.

    Attributes:
        name: name of the component, e.g. a module path.
        kind: kind of operation ("linear", "matmul", ...), or "total".
        sops: accumulations caused by spikes in the SNN.
        macs: multiply-accumulates of the ANN.
        nonlinear_flops: FLOPs of the ANN's non-linear functions.
        snn_pj: energy of the SNN, SOPs E_AC, in pJ.
        ann_pj: energy of the ANN, (MACs + non-linear FLOPs) E_MAC, in pJ.
    """

    name: str
    kind: str
    sops: int
    macs: int
    nonlinear_flops: int
    snn_pj: float
    ann_pj: float

    @property
    def ratio(self) -> float | None:
        """E_snn / E_ann (Eq. 25); None where the ANN has no work to compare with."""
        return self.snn_pj / self.ann_pj if self.ann_pj else None

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON, with the ratio written out."""
        return {
            "name": self.name,
            "kind": self.kind,
            "sops": self.sops,
            "macs": self.macs,
            "nonlinear_flops": self.nonlinear_flops,
            "snn_pj": self.snn_pj,
            "ann_pj": self.ann_pj,
            "ratio": self.ratio,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EnergyRow:
        """Inverse of `to_dict`."""
        return cls(**{name: value for name, value in data.items() if name != "ratio"})


def combine(name: str, kind: str, rows: Sequence[EnergyRow]) -> EnergyRow:
    """Several rows as one."""
    return EnergyRow(
        name=name,
        kind=kind,
        sops=sum(row.sops for row in rows),
        macs=sum(row.macs for row in rows),
        nonlinear_flops=sum(row.nonlinear_flops for row in rows),
        snn_pj=sum(row.snn_pj for row in rows),
        ann_pj=sum(row.ann_pj for row in rows),
    )


@dataclass(frozen=True)
class EnergyReport:
    """Energy of a spiking model beside that of the model it was converted from.

    Attributes:
        cost_model: the constants used.
        tokens: tokens that went through the model while counting (0 if nobody counted them).
        rows: one per component, in the order in which the model ran them.
    """

    cost_model: CostModel
    tokens: int
    rows: tuple[EnergyRow, ...]

    @property
    def total(self) -> EnergyRow:
        """All components together."""
        return combine("total", "total", self.rows)

    def grouped(self, key: Callable[[EnergyRow], str], kind: str = "group") -> list[EnergyRow]:
        """One row per value of `key`, in the order of first appearance."""
        groups: dict[str, list[EnergyRow]] = {}
        for row in self.rows:
            groups.setdefault(key(row), []).append(row)
        return [combine(name, kind, rows) for name, rows in groups.items()]

    def sorted(self) -> list[EnergyRow]:
        """The rows, the one that costs the SNN most first; ties keep the model's order."""
        return sorted(self.rows, key=lambda row: -row.snn_pj)

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON, with the total written out."""
        return {
            "cost_model": self.cost_model.to_dict(),
            "tokens": self.tokens,
            "total": self.total.to_dict(),
            "rows": [row.to_dict() for row in self.rows],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EnergyReport:
        """Inverse of `to_dict`."""
        return cls(
            cost_model=CostModel.from_dict(data["cost_model"]),
            tokens=data["tokens"],
            rows=tuple(EnergyRow.from_dict(row) for row in data["rows"]),
        )

    def to_markdown(self) -> str:
        """A Markdown table: the total, then the components, the dearest first."""
        total = self.total
        lines = [
            "| component | kind | SOPs | MACs | non-linear FLOPs | E_snn (nJ) | E_ann (nJ) "
            "| ratio | share of E_snn |",
            "|---|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for row in [total, *self.sorted()]:
            ratio = "–" if row.ratio is None else f"{row.ratio:.3f}"
            share = f"{row.snn_pj / total.snn_pj:.1%}" if total.snn_pj else "–"
            lines.append(
                f"| {row.name} | {row.kind} | {row.sops:,} | {row.macs:,} "
                f"| {row.nonlinear_flops:,} | {row.snn_pj / 1e3:.4g} | {row.ann_pj / 1e3:.4g} "
                f"| {ratio} | {share} |"
            )
        return "\n".join(lines) + "\n"
