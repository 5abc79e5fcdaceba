"""What a spiking model and its ANN are charged for what was counted."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import Literal

from las.energy.cost_model import PAPER
from las.energy.formats import NumberFormat
from las.energy.hardware import Hardware
from las.energy.parts import Parts
from las.neurons.tally import OperationCount, SiteCount, SpikeTally

Schedule = Literal["neuron-major", "time-major"]

NEURONS = "neurons"
"""The kind of rows that are no operations but populations of neurons."""

HG_GATING = 12
"""Comparisons by which an input finds its HG sub-neuron, among 4,096 at most (Eq. 8).

Those fitted so far have 250 to 2,700.
"""

HG_PARAMETERS = 4
"""Numbers of an HG sub-neuron: left end, width, offset and slope; theta, h and d are their halves,
quarters and so on."""

PARAMETER_BITS = 32


@dataclass(frozen=True)
class Charge:
    """The energy of one operation or one population of neurons on both sides.

    Attributes:
        name: its module path.
        kind: kind of operation, or "neurons".
        snn: of the spiking model, both operands of attention's products charged.
        last: the same with only the operand charged that arrives last; None if it was not counted.
        ann: of the ANN; neurons cost it nothing.
    """

    name: str
    kind: str
    snn: Parts
    last: Parts | None
    ann: Parts


@dataclass(frozen=True)
class Rates:
    """Energies that charging multiplies with, in pJ.

    Attributes:
        addition: of an addition to an accumulator, and of a comparison.
        mac: of the ANN's multiply-accumulate.
        flop: of a FLOP of the ANN's non-linear functions.
        weight: of a weight, or a stored operand, from near memory; 0 without memory.
        far_weight: of a weight from far memory, for each token that it is read for.
        state, event, activation, parameters: of one word of each, from near memory.
        batch: tokens that share a read from far memory.
    """

    addition: float
    mac: float
    flop: float
    weight: float = 0.0
    far_weight: float = 0.0
    state: float = 0.0
    event: float = 0.0
    activation: float = 0.0
    parameters: float = 0.0
    batch: int = 1


def rates(hardware: Hardware, number: NumberFormat, memory: bool) -> Rates | None:
    """What charging multiplies with; None if the hardware's description does not tell."""
    addition, mac, flop = hardware.addition(number), hardware.mac(number), hardware.float_mac
    if addition is None or mac is None or flop is None:
        return None
    if not memory:
        return Rates(addition, mac, flop)
    near = hardware.near
    if near is None:
        return None
    return Rates(
        addition,
        mac,
        flop,
        weight=near.pj(number.bits),
        far_weight=0.0 if hardware.far is None else hardware.far.pj(number.bits),
        state=near.pj(hardware.state_bits),
        event=near.pj(hardware.event_bits),
        activation=near.pj(number.bits),
        parameters=near.pj(HG_PARAMETERS * PARAMETER_BITS),
        batch=hardware.batch,
    )


def charge(tally: SpikeTally, price: Rates, schedule: Schedule) -> tuple[Charge, ...]:
    """One charge for each operation, and one for each population of neurons.

    Arguments:
        tally: what was counted, additions and fetches among it.
        price: energies; without those of memory, `schedule` is of no effect.
        schedule: "neuron-major" lets a neuron run through all its time steps at once, so that what
            it selects is read once, and its potential, too; "time-major" lets all neurons take a
            step together, so that both are read in every step.
    """
    rows = [
        _of_operation(name, operation, _maxima(name, operation, tally), price, schedule)
        for name, operation in tally.operations.items()
    ]
    return (*rows, *(_of_site(name, site, price, schedule) for name, site in tally.sites.items()))


def steps_of(operation: str, tally: SpikeTally) -> int:
    """The longest T of the neurons within an operation."""
    within = f"{operation}."
    own = [one.time_steps for name, one in tally.sites.items() if name.startswith(within)]
    return max(own, default=0)


def comparisons(site: SiteCount) -> int:
    """Comparisons of a population of neurons.

    One with the threshold in every time step, whether it fires or not; for each spike a binary
    search of its level among H; and one of the band for each input: one comparison for the two of
    Eq. 3, two for three or four, none for one (`HG_GATING` for Eq. 8).
    """
    gating = HG_GATING if site.kind.startswith("hg:") else 0
    if site.kind == "oat":
        gating = ceil(log2(site.bands))
    return (site.time_steps + gating) * site.activations + ceil(log2(site.levels)) * site.spikes


def _of_operation(
    name: str, operation: OperationCount, maxima: int, price: Rates, schedule: Schedule
) -> Charge:
    stored = operation.multiplies  # it reads an operand for every product
    flops = PAPER.nonlinear_flops(operation.nonlinear)
    shared = operation.weights > 0  # only weights come from far memory
    ann = Parts(
        arithmetic=operation.macs * price.mac + flops * price.flop,
        weights=operation.macs * price.weight * stored
        + operation.macs * price.far_weight / price.batch * (stored and shared),
        activations=(operation.inputs + operation.outputs) * price.activation,
    )

    def spiking(additions: int, fetches: int, sops: int) -> Parts:
        reads = operation.dense_macs + (fetches if schedule == "neuron-major" else sops)
        needed = _needed(fetches + operation.dense_macs, operation.macs, price.batch)
        far = operation.macs * needed / price.batch
        return Parts(
            arithmetic=(additions + maxima) * price.addition + operation.dense_macs * price.mac,
            weights=reads * price.weight * stored + far * price.far_weight * (stored and shared),
            states=operation.outputs * price.state,
        )

    return Charge(
        name,
        operation.kind,
        spiking(operation.additions, operation.fetches, operation.sops),
        spiking(
            operation.additions - operation.early_additions,
            operation.fetches - operation.early_fetches,
            operation.sops - operation.early_sops,
        ),
        ann,
    )


def _maxima(name: str, operation: OperationCount, tally: SpikeTally) -> int:
    """Comparisons of running maxima: one for each score and time step (Eq. 16)."""
    return operation.macs * steps_of(name, tally) if operation.kind == "softmax" else 0


def _needed(fetches: int, macs: int, batch: int) -> float:
    """The share of weights that some token of a batch fetches, if tokens are independent."""
    share = min(1.0, fetches / macs) if macs else 0.0
    return float(1.0 - (1.0 - share) ** batch)


def _of_site(name: str, site: SiteCount, price: Rates, schedule: Schedule) -> Charge:
    """Comparisons and resets; potentials that are read, or in every step read and written."""
    steps = 1 if schedule == "neuron-major" else site.time_steps
    of_hg = site.kind.startswith("hg:")
    parts = Parts(
        arithmetic=(comparisons(site) + site.spikes) * price.addition,
        weights=site.activations * steps * price.parameters * of_hg,
        states=site.activations * (1 if steps == 1 else 2 * steps) * price.state,
        events=2 * site.spikes * price.event,
    )
    return Charge(name, NEURONS, parts, parts, Parts())
