"""The same counts in four accounts, side by side: what spiking costs under each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from las.energy.charges import NEURONS, Charge, Schedule, charge, rates
from las.energy.cost_model import PAPER
from las.energy.descriptions import HARDWARE, HOROWITZ_45NM
from las.energy.estimate import COUNTED, estimate
from las.energy.formats import BF16, FP32, INT8, NumberFormat, integers
from las.energy.hardware import Hardware
from las.energy.latency import Latency, latency
from las.energy.neurobench import NeuroBench, neurobench
from las.energy.parts import Parts
from las.neurons.tally import SpikeTally
from las.options import instance_of

SCHEDULES: tuple[Schedule, ...] = ("neuron-major", "time-major")

NOT_COUNTED = "counted before additions, fetches and the numbers moved were"


@dataclass(frozen=True)
class Account:
    """What both sides are charged under one set of rules.

    Attributes:
        number: 1 Eq. 25; 2 graded spikes; 3 memory; 4 opponents of equal precision.
        slug: identifier.
        title: as it is shown.
        rows: one for each operation and population of neurons; empty if it cannot be told.
        missing: why it cannot be told.
    """

    number: int
    slug: str
    title: str
    rows: tuple[Charge, ...] = ()
    missing: str = ""

    @cached_property
    def snn(self) -> Parts | None:
        """Energy of the spiking model, both operands of attention's products charged."""
        return Parts.sum(row.snn for row in self.rows) if self.rows else None

    @cached_property
    def last(self) -> Parts | None:
        """The same with only the operand charged that arrives last; None if not counted."""
        charged = [row.last for row in self.rows if row.last is not None]
        return Parts.sum(charged) if charged and len(charged) == len(self.rows) else None

    @cached_property
    def ann(self) -> Parts | None:
        """Energy of the ANN; None where it does not run."""
        total = Parts.sum(row.ann for row in self.rows)
        return total if total.total else None

    @property
    def ratio(self) -> float | None:
        """E_snn / E_ann, both operands charged."""
        return _ratio(self.snn, self.ann)

    @property
    def last_ratio(self) -> float | None:
        """E_snn / E_ann, only the operand charged that arrives last."""
        return _ratio(self.last, self.ann)

    def grouped(self, key: Callable[[Charge], str]) -> dict[str, Charge]:
        """The rows added up by a key, in the order of first appearance."""
        groups: dict[str, list[Charge]] = {}
        for row in self.rows:
            groups.setdefault(key(row), []).append(row)
        return {name: _added(name, rows) for name, rows in groups.items()}


@dataclass(frozen=True)
class Accounts:
    """All accounts of one tally on one piece of hardware.

    Attributes:
        hardware: its description.
        tokens: tokens that went in while spikes were counted.
        accounts: Eq. 25 first.
        latency: in time steps.
        layers: NeuroBench's metrics of the layers with weights, which its package sees.
        products: the same with products of two activations, which it does not see.
        functions: energy in pJ of the ANN's non-linear functions, which stay in FP32 whatever the
            format of its products; None if the hardware does not tell.
    """

    hardware: Hardware
    tokens: int
    accounts: tuple[Account, ...]
    latency: Latency
    layers: NeuroBench
    products: NeuroBench
    functions: float | None = None

    def __getitem__(self, slug: str) -> Account:
        for account in self.accounts:
            if account.slug == slug:
                return account
        raise KeyError(f"no account {slug!r}; there are {[one.slug for one in self.accounts]}")

    def share_of_functions(self, slug: str) -> float | None:
        """Share of an ANN's arithmetic that its functions take, in [0, 1]; None if not known."""
        ann = next((one.ann for one in self.accounts if one.slug == slug), None)
        if ann is None or self.functions is None or not ann.arithmetic:
            return None
        return self.functions / ann.arithmetic

    def to_markdown(self) -> str:
        """A Markdown table, a row for each account; energies per token in microjoules."""
        unit = 1e6 * (self.tokens or 1)
        lines = [
            "| account | E_snn (µJ) | E_ann (µJ) | ratio | ratio, last operand only |",
            "|---|--:|--:|--:|--:|",
        ]
        for one in self.accounts:
            energies = ["–" if x is None else f"{x.total / unit:.4g}" for x in (one.snn, one.ann)]
            ratios = ["–" if x is None else f"{x:.3f}" for x in (one.ratio, one.last_ratio)]
            lines.append(f"| {' | '.join([f'{one.number} {one.title}', *energies, *ratios])} |")
        return "\n".join(lines) + "\n"


def accounts(tally: SpikeTally, hardware: Hardware = HOROWITZ_45NM) -> Accounts:
    """Charge what was counted under all accounts.

    1. Eq. 25 with the paper's constants, whatever the hardware.
    2. Graded spikes: an accumulation for every nonzero signed binary digit of every spike, and the
       neurons' own comparisons and resets.
    3. The same with the memory that both sides read and write, under both schedules.
    4. Accounts 2 and 3 with weights and activations of both sides in another format: BF16, INT8,
       and integers of T bits.

    Of hardware that was published as one energy for each synaptic operation there are accounts 1
    and 3 only, and no ANN.

    Arguments:
        tally: what `las.count_spikes` counted.
        hardware: one of `HARDWARE`, or one of your own.

    Raises:
        ValueError: the tally holds no operation, or an argument is of another kind.
    """
    instance_of("tally", tally, SpikeTally, COUNTED)
    instance_of("hardware", hardware, Hardware, f"las.energy.HARDWARE has {[*HARDWARE]}")
    counted = complete(tally)
    found = [_by_equation_25(tally, counted)]
    if hardware.synapse is not None:
        found.append(_by_synapses(tally, hardware, counted))
    else:
        for number in _formats(tally):
            found += _of_format(tally, hardware, number, counted)
    return Accounts(
        hardware,
        tally.tokens,
        tuple(found),
        latency(tally),
        neurobench(tally),
        neurobench(tally, ("linear", "matmul")),
        _of_functions(tally, hardware),
    )


def complete(tally: SpikeTally) -> bool:
    """Whether a tally tells more than Eq. 25 needs: older ones do not."""
    operations = tally.operations.values()
    return all(one.additions and one.fetches for one in operations if one.sops) and all(
        one.inputs for one in operations if one.macs
    )


def _of_functions(tally: SpikeTally, hardware: Hardware) -> float | None:
    flop = hardware.float_mac
    if flop is None:
        return None
    return flop * sum(PAPER.nonlinear_flops(one.nonlinear) for one in tally.operations.values())


def _formats(tally: SpikeTally) -> list[NumberFormat]:
    steps = [site.time_steps for site in tally.sites.values() if site.kind in ("mt", "oat")]
    of_t = integers(max(steps, default=INT8.bits))
    return [FP32, BF16, INT8, *([] if of_t == INT8 else [of_t])]


def _of_format(
    tally: SpikeTally, hardware: Hardware, number: NumberFormat, counted: bool
) -> list[Account]:
    found = []
    plans: list[tuple[bool, Schedule]] = [(False, "neuron-major")]  # which is of no matter there
    for memory, schedule in [*plans, *[(True, schedule) for schedule in SCHEDULES]]:
        what = f"memory, {schedule}" if memory else "graded spikes"
        kind = schedule.replace("-", "_") if memory else "graded"
        price = rates(hardware, number, memory)
        missing = "" if counted else NOT_COUNTED
        if price is None:
            missing = f"{hardware.title} has no {'memory' if memory else number.title} described"
        found.append(
            Account(
                4 if number != FP32 else 3 if memory else 2,
                f"{kind}_{number.name}",
                f"{number.title}, {what}",
                () if price is None or missing else charge(tally, price, schedule),
                missing,
            )
        )
    return found


def _by_equation_25(tally: SpikeTally, counted: bool) -> Account:
    rows = []
    for row in estimate(tally).rows:
        early = tally.operations[row.name].early_sops * PAPER.ac_pj
        rows.append(
            Charge(
                row.name,
                row.kind,
                Parts(arithmetic=row.snn_pj),
                Parts(arithmetic=row.snn_pj - early) if counted else None,
                Parts(arithmetic=row.ann_pj),
            )
        )
    return Account(1, "paper", "Eq. 25", tuple(rows))


def _by_synapses(tally: SpikeTally, hardware: Hardware, counted: bool) -> Account:
    assert hardware.synapse is not None
    per_digit = hardware.synapse.pj
    rows = []
    for name, one in tally.operations.items():
        late = one.additions - one.early_additions
        both, last = (Parts(arithmetic=n * per_digit) for n in (one.additions, late))
        rows.append(Charge(name, one.kind, both, last, Parts()))
    if hardware.firing is not None and hardware.silent is not None:
        for name, site in tally.sites.items():
            quiet = site.activations * site.time_steps - site.spikes
            updates = site.spikes * hardware.firing.pj + quiet * hardware.silent.pj
            states = Parts(states=updates)
            rows.append(Charge(name, NEURONS, states, states, Parts()))
    title = f"{hardware.title}, synaptic operations"
    if not counted:
        return Account(3, "synapses", title, missing=NOT_COUNTED)
    return Account(3, "synapses", title, tuple(rows))


def _ratio(snn: Parts | None, ann: Parts | None) -> float | None:
    return None if snn is None or ann is None else snn.total / ann.total


def _added(name: str, rows: list[Charge]) -> Charge:
    charged = [row.last for row in rows if row.last is not None]
    return Charge(
        name,
        name,
        Parts.sum(row.snn for row in rows),
        Parts.sum(charged) if len(charged) == len(rows) else None,
        Parts.sum(row.ann for row in rows),
    )
