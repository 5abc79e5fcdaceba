"""Energy of a spiking model beside that of its ANN (Eq. 25, Appendix E)."""

from __future__ import annotations

from las.energy.cost_model import COST_MODELS, PAPER, CostModel
from las.energy.estimate import estimate
from las.energy.report import EnergyReport, EnergyRow

__all__ = ["COST_MODELS", "PAPER", "CostModel", "EnergyReport", "EnergyRow", "estimate"]
