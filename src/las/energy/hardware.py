"""What operations and memory cost on some hardware, every number with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import log2
from typing import Any

from las.energy.formats import FP32, NumberFormat


@dataclass(frozen=True)
class Constant:
    """An energy.

    Attributes:
        pj: in pJ.
        source: where it was published, and what stands in for what.
    """

    pj: float
    source: str

    def __post_init__(self) -> None:
        if not self.pj > 0 or not self.source:
            raise ValueError(f"a constant needs an energy above 0 pJ and a source, got {self}")


@dataclass(frozen=True)
class Memory:
    """A memory that is read and written in words.

    Attributes:
        title: e.g. "8 kB SRAM".
        access: energy of one access; a write costs as much as a read.
        bits: that one access moves. Narrower words cost their share of it.
    """

    title: str
    access: Constant
    bits: int

    def pj(self, bits: int) -> float:
        """Energy of moving some bits, in pJ."""
        return self.access.pj * bits / self.bits


@dataclass(frozen=True)
class Hardware:
    """A description of hardware. What it does not tell is charged under no account.

    Attributes:
        name: identifier, the key in `HARDWARE`.
        title: as it is shown.
        additions: energy of an addition by format; comparisons cost one, too.
        products: energy of a multiplication by format.
        near: the memory beside the arithmetic, which holds what is worked on; None if unknown.
        far: the memory that holds all weights; None where `near` does.
        batch: how many tokens (of convolutions: positions) share one read of a weight from `far`.
        state_bits: of a membrane potential.
        event_bits: of a spike: which neuron, which sign, which level.
        synapse: energy of one synaptic operation with all that it moves, of a chip of which no
            more than this was published.
        firing, silent: energy of one neuron in one time step in which it fires or does not, of
            such a chip.
        note: what the numbers are worth.
    """

    name: str
    title: str
    additions: Mapping[str, Constant] = field(default_factory=dict)
    products: Mapping[str, Constant] = field(default_factory=dict)
    near: Memory | None = None
    far: Memory | None = None
    batch: int = 1
    state_bits: int = 32
    event_bits: int = 32
    synapse: Constant | None = None
    firing: Constant | None = None
    silent: Constant | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("batch", "state_bits", "event_bits"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of {self.name} must be 1 or more")

    def addition(self, number: NumberFormat) -> float | None:
        """Energy of adding to an accumulator, in pJ; None if unknown."""
        constant = self.additions.get(number.accumulator)
        return None if constant is None else constant.pj

    def mac(self, number: NumberFormat) -> float | None:
        """Energy of a multiply-accumulate, in pJ; None if unknown.

        Integers of other widths than 8 and 32 bits lie on the power law through these two.
        """
        addition = self.addition(number)
        if number.name in self.products:
            product: float | None = self.products[number.name].pj
        elif number.accumulator == "int32" and {"int8", "int32"} <= set(self.products):
            narrow, wide = self.products["int8"].pj, self.products["int32"].pj
            product = float(narrow * (wide / narrow) ** _octaves(number.bits))
        else:
            product = None
        return None if product is None or addition is None else product + addition

    @property
    def float_mac(self) -> float | None:
        """Energy of a FLOP of a non-linear function, which Eq. 25 takes for a MAC; FP32 always."""
        return self.mac(FP32)

    def sources(self) -> dict[str, str]:
        """Where each constant was published, by what it is of."""
        found = {}
        for kind in ("addition", "product"):
            for name, constant in getattr(self, f"{kind}s").items():
                found[f"{name} {kind}"] = constant.source
        for name in ("near", "far"):
            if (memory := getattr(self, name)) is not None:
                found[memory.title] = memory.access.source
        for name in ("synapse", "firing", "silent"):
            if (constant := getattr(self, name)) is not None:
                found[name] = constant.source
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Hardware:
        """A description from plain data, as a config holds it.

        Raises:
            ValueError: a field is unknown, missing or out of range.
        """
        unknown = sorted(set(data) - {each.name for each in fields(cls)})
        if unknown:
            raise ValueError(f"a hardware description has no field {unknown[0]!r}")
        plain = dict(data)
        try:
            for name in ("additions", "products"):
                if name in plain:
                    plain[name] = {key: _constant(one) for key, one in plain[name].items()}
            for name in ("near", "far"):
                if plain.get(name) is not None:
                    memory = dict(plain[name])
                    plain[name] = Memory(**{**memory, "access": _constant(memory["access"])})
            for name in ("synapse", "firing", "silent"):
                if plain.get(name) is not None:
                    plain[name] = _constant(plain[name])
            return cls(**plain)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a hardware description: {error}") from error


def _octaves(bits: int) -> float:
    """How far a width lies from 8 bits (0) to 32 bits (1), on a logarithmic scale."""
    return log2(bits / 8) / 2


def _constant(data: Any) -> Constant:
    return data if isinstance(data, Constant) else Constant(**data)
