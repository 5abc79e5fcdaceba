"""The four accounts of a spiking model that somebody else made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from las.energy.accounts import Account, Accounts, accounts
from las.energy.hardware import Hardware
from las.energy.neurobench import NeuroBench
from las.neurons.tally import SpikeTally


def charged(tally: SpikeTally, hardware: Hardware, right_alone: Collection[str]) -> Accounts:
    """Charge it as `las.energy.accounts` does, and leave open what is not known.

    Arguments:
        tally: what was counted.
        hardware: a description.
        right_alone: products of which only the right operand is a spike train. What they cost if
            the operand is charged alone that arrives last, the left one, is not known.
    """
    found = accounts(tally, hardware)
    told = [_with_last_unknown(one, right_alone) for one in found.accounts]
    if hardware.synapse is not None:
        told = [_of_additions(one, tally, hardware) for one in told]
    return replace(
        found,
        accounts=tuple(told),
        layers=_with_dense(found.layers, tally, ("linear",)),
        products=_with_dense(found.products, tally, ("linear", "matmul")),
    )


def in_short(found: Accounts) -> list[str]:
    """The ratios of all accounts but Eq. 25: a line for each plan, a column for each format."""
    plans: dict[str, dict[str, float | None]] = {}
    for one in found.accounts[1:]:
        number, _, plan = one.title.partition(", ")
        plans.setdefault(plan, {})[number] = one.ratio
    formats = list(dict.fromkeys(number for ratios in plans.values() for number in ratios))
    lines = [f"{f'on {found.hardware.title}':<26}" + "".join(f"{each:<9}" for each in formats)]
    for plan, ratios in plans.items():
        shown = ["–" if (x := ratios.get(each)) is None else f"{x:.3f}" for each in formats]
        lines.append(f"  {plan:<24}" + "".join(f"{each:<9}" for each in shown))
    return [line.rstrip() for line in lines]


def _with_last_unknown(account: Account, right_alone: Collection[str]) -> Account:
    rows = [replace(row, last=None) if row.name in right_alone else row for row in account.rows]
    return replace(account, rows=tuple(rows))


def _of_additions(account: Account, tally: SpikeTally, hardware: Hardware) -> Account:
    """Of a chip that only adds: what multiplies cannot be charged on it."""
    names = [name for name, one in tally.operations.items() if one.dense_macs]
    if account.slug != "synapses" or not names:
        return account
    missing = f"{hardware.title} only adds, and there are no spikes to read for {', '.join(names)}"
    return replace(account, rows=(), missing=missing)


def _with_dense(found: NeuroBench, tally: SpikeTally, kinds: Collection[str]) -> NeuroBench:
    """NeuroBench counts the multiply-accumulates of what reads no spikes, too."""
    if found.effective_macs is None:
        return found
    dense = sum(one.dense_macs for one in tally.operations.values() if one.kind in kinds)
    return replace(found, effective_macs=found.effective_macs + dense / (tally.tokens or 1))
