"""Spiking models that others made: what spikes in them, what that causes, and what it costs."""

from las.foreign.account import account
from las.foreign.report import SpikeAccount

__all__ = ["SpikeAccount", "account"]
