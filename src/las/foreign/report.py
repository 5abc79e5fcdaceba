"""What `las.account` found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from las.energy.estimate import estimate
from las.energy.report import EnergyReport
from las.neurons.tally import SpikeTally


@dataclass(frozen=True)
class SpikeAccount:
    """Spikes of a model that others made, and its energy by Eq. 25.

    Attributes:
        spikes: sites and operations, in the form of `las.count_spikes`.
        energy: per operation and in total, with both operands of a product of two spike trains
            charged.
        time_steps: T.
        step_mode: "s" if modules are called at each time step, "m" if once for all of them.
        dense: operations that read no spikes, charged as multiply-accumulates at E_MAC.
        outside_of_time: operations that run once, not at each time step.
    """

    spikes: SpikeTally
    energy: EnergyReport
    time_steps: int
    step_mode: str
    dense: tuple[str, ...]
    outside_of_time: tuple[str, ...]

    @property
    def one_operand(self) -> EnergyReport:
        """The energy with one operand of such products charged, the left one, as papers do."""
        charged = SpikeTally(tokens=self.spikes.tokens)
        for name, count in self.spikes.operations.items():
            charged.operations[name] = replace(count, sops=count.sops - count.early_sops)
        return estimate(charged, self.energy.cost_model)

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "spikes": self.spikes.to_dict(),
            "energy": self.energy.to_dict(),
            "time_steps": self.time_steps,
            "step_mode": self.step_mode,
            "dense": list(self.dense),
            "outside_of_time": list(self.outside_of_time),
        }

    def __str__(self) -> str:
        sites = self.spikes.sites.values()
        activations = sum(site.activations for site in sites)
        slots = sum(site.activations * site.time_steps for site in sites)
        operations = self.spikes.operations.values()
        sops = sum(operation.sops for operation in operations)
        total = self.energy.total
        lines = [
            f"time steps                {self.time_steps}",
            f"spikes                    {self.spikes.spikes:,} of {activations:,} neurons, "
            f"firing rate {self.spikes.spikes / slots if slots else 0:.3f}",
            f"synaptic operations       {sops:,}",
            f"MACs of the dense model   {total.macs:,} (one time step)",
            f"energy by Eq. 25          {total.ratio:.3f} of the dense model's",
        ]
        if any(operation.early_sops for operation in operations):
            one = self.one_operand.total.ratio
            lines.append(f"  one operand charged     {one:.3f}, in products of two spike trains")
        if self.dense:
            lines.append(
                f"no spikes to read         {', '.join(self.dense)}: charged as "
                f"{sum(operation.dense_macs for operation in operations):,} MACs, as papers do"
            )
        if self.outside_of_time:
            lines.append(f"run once, not T times     {', '.join(self.outside_of_time)}")
        return "\n".join(lines)
