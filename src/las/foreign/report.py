"""What `las.account` found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from las.energy.accounts import Accounts
from las.energy.descriptions import HOROWITZ_45NM
from las.energy.estimate import estimate
from las.energy.hardware import Hardware
from las.energy.report import EnergyReport
from las.foreign.accounts import charged, in_short
from las.neurons.tally import SpikeTally


@dataclass(frozen=True)
class SpikeAccount:
    """Spikes of a model that others made, and its energy by Eq. 25 and under other accounts.

    Attributes:
        spikes: sites and operations, in the form of `las.count_spikes`.
        energy: per operation and in total, with both operands of a product of two spike trains
            charged.
        time_steps: T.
        step_mode: "s" if modules are called at each time step, "m" if once for all of them.
        dense: operations that read no spikes, charged as multiply-accumulates at E_MAC.
        outside_of_time: operations that run once, not at each time step.
        right_alone: products of which only the right operand is a spike train.
        analog: neurons of other libraries that emit values and no spikes; they are no sites.
        unread: modules and what they call that cannot be looked into, such as fused attention. What
            it costs is in no account, neither of the spiking nor of the dense model.
    """

    spikes: SpikeTally
    energy: EnergyReport
    time_steps: int
    step_mode: str
    dense: tuple[str, ...]
    outside_of_time: tuple[str, ...]
    right_alone: tuple[str, ...]
    analog: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def one_operand(self) -> EnergyReport:
        """The energy with one operand of such products charged, the left one, as papers do."""
        charged = SpikeTally(tokens=self.spikes.tokens)
        for name, count in self.spikes.operations.items():
            charged.operations[name] = replace(count, sops=count.sops - count.early_sops)
        return estimate(charged, self.energy.cost_model)

    def accounts(self, hardware: Hardware = HOROWITZ_45NM) -> Accounts:
        """Energy of both models under all accounts, latency, and NeuroBench's metrics.

        Energies are those of all batches, and of all neurons even where `hooks` name operations.

        Which operand of a product arrives last cannot be seen: of two spike trains it is taken to
        be the left one, as queries and attention weights are. If only the right one is a spike
        train, what the last operand costs alone is left open.

        `latency.steps` lets each population wait for the one before it. Where a model takes its
        steps one by one, a result is there after `latency.overlapped`. What NeuroBench calls
        effective MACs includes all of the operations that read no spikes. Its footprint and
        connection sparsity are None.

        Arguments:
            hardware: one of `las.energy.HARDWARE`, or a description of your own.

        Raises:
            ValueError: it is no description of hardware.
        """
        return charged(self.spikes, hardware, self.right_alone)

    def to_markdown(self, hardware: Hardware = HOROWITZ_45NM) -> str:
        """A Markdown table of all accounts, and a list of what is charged otherwise or not known.

        Energies are those of all batches, in microjoules.
        """
        notes = "".join(f"- {what}: {names}\n" for what, names in self._notes())
        return self.accounts(hardware).to_markdown() + (notes and f"\n{notes}")

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "spikes": self.spikes.to_dict(),
            "energy": self.energy.to_dict(),
            "time_steps": self.time_steps,
            "step_mode": self.step_mode,
            "dense": list(self.dense),
            "outside_of_time": list(self.outside_of_time),
            "right_alone": list(self.right_alone),
            "analog": list(self.analog),
            "unread": list(self.unread),
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
        lines += in_short(self.accounts())
        return "\n".join([*lines, *(f"{what:<26}{names}" for what, names in self._notes())])

    def _notes(self) -> list[tuple[str, str]]:
        """What is charged otherwise or not known, and where."""
        macs = sum(operation.dense_macs for operation in self.spikes.operations.values())
        notes = (
            ("no spikes to read", self.dense, f": charged as {macs:,} MACs, as papers do"),
            ("run once, not T times", self.outside_of_time, ""),
            ("last operand unknown", self.right_alone, ": only the right one is a spike train"),
            ("neurons without spikes", self.analog, ": in no account"),
            ("cannot be looked into", self.unread, ": in no account"),
        )
        return [(what, ", ".join(names) + more) for what, names, more in notes if names]
