"""Energy of a spiking model beside that of its ANN: Eq. 25 (Appendix E), and other accounts."""

from __future__ import annotations

from las.energy.accounts import Account, Accounts, accounts
from las.energy.charges import Charge
from las.energy.cost_model import COST_MODELS, PAPER, CostModel
from las.energy.descriptions import HARDWARE, described
from las.energy.estimate import estimate
from las.energy.hardware import Constant, Hardware, Memory
from las.energy.parts import Parts
from las.energy.report import EnergyReport, EnergyRow
from las.energy.verdict import verdict

__all__ = [
    "COST_MODELS",
    "HARDWARE",
    "PAPER",
    "Account",
    "Accounts",
    "Charge",
    "Constant",
    "CostModel",
    "EnergyReport",
    "EnergyRow",
    "Hardware",
    "Memory",
    "Parts",
    "accounts",
    "described",
    "estimate",
    "verdict",
]
