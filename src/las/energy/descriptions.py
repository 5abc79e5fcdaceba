"""The hardware that is described here, from published figures only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from las.energy.hardware import Constant, Hardware, Memory

_PAPER = "LAS, Appendix E and Eq. 25: E_MAC = 4.6 pJ, E_AC = 0.9 pJ, 45 nm, FP32"
_HOROWITZ = "M. Horowitz, Computing's energy problem, ISSCC 2014, Fig. 1.1.9, 45 nm, 0.9 V"
_JOUPPI = "N. Jouppi et al., Ten lessons from three generations, ISCA 2021, Table 2, 7 nm"
_DAVIES = "M. Davies et al., Loihi, IEEE Micro 38(1), 2018, Table 2"
_SENECA = "G. Tang et al., SENECA, Frontiers in Neuroscience 17, 2023, Table 3 (PMC10326429)"


def _of(source: str, **energies: float) -> dict[str, Constant]:
    return {name: Constant(pj, source) for name, pj in energies.items()}


PAPER_45NM = Hardware(
    name="paper",
    title="the paper's 45 nm",
    additions=_of(_PAPER, fp32=0.9),
    products=_of(f"{_PAPER}: E_MAC - E_AC", fp32=3.7),
    note="Arithmetic in FP32 only: no memory, and no other format.",
)

HOROWITZ_45NM = Hardware(
    name="horowitz_45nm",
    title="45 nm (Horowitz 2014)",
    additions=_of(_HOROWITZ, fp32=0.9, fp16=0.4, int8=0.03, int32=0.1),
    products={
        **_of(_HOROWITZ, fp32=3.7, fp16=1.1, int8=0.2, int32=3.1),
        "bf16": Constant(1.1, f"{_HOROWITZ}: FP16, which stands in; the table has no BF16"),
    },
    near=Memory("8 kB SRAM", Constant(10.0, f"{_HOROWITZ}: 8 kB cache, 64 bits"), 64),
    far=Memory("DRAM", Constant(1300.0, f"{_HOROWITZ}: the lower end of 1.3 to 2.6 nJ"), 64),
    batch=512,
    note="Weights lie in DRAM, and are read from 8 kB of SRAM at each use.",
)

JOUPPI_7NM = Hardware(
    name="jouppi_7nm",
    title="7 nm (Jouppi 2021)",
    additions=_of(_JOUPPI, fp32=0.38, fp16=0.16, bf16=0.11, int8=0.007, int32=0.03),
    products=_of(_JOUPPI, fp32=1.31, fp16=0.34, bf16=0.21, int8=0.07, int32=1.48),
    near=Memory("8 kB SRAM", Constant(7.5, f"{_JOUPPI}: 8 kB SRAM, 64 bits"), 64),
    far=Memory("HBM2", Constant(250.0, f"{_JOUPPI}: the lower end of 250 to 450 pJ, 64 bits"), 64),
    batch=512,
    note="Weights lie in HBM2, and are read from 8 kB of SRAM at each use.",
)

_BINARY = (
    "No more than this is published. Spikes are binary there, so that a graded one is sent digit "
    "by digit. An ANN does not run there: compare microjoules, not ratios, and mind the nodes."
)

LOIHI = Hardware(
    name="loihi",
    title="Loihi, 14 nm",
    synapse=Constant(23.6, f"{_DAVIES}: energy per synaptic spike operation, at least"),
    firing=Constant(81.0, f"{_DAVIES}: energy per neuron update, active"),
    silent=Constant(52.0, f"{_DAVIES}: energy per neuron update, inactive"),
    note=f"{_BINARY} For Loihi 2 none is published (PMC10326429, Table 3).",
)


def _chip(name: str, title: str, pj: float) -> Hardware:
    """A chip of which the energy of a synaptic operation is known, and nothing else."""
    return Hardware(name, title, synapse=Constant(pj, _SENECA), note=_BINARY)


SPINNAKER_2 = _chip("spinnaker_2", "SpiNNaker 2, 22 nm", 10.0)
TRUENORTH = _chip("truenorth", "TrueNorth, 28 nm", 2.5)
SENECA = _chip("seneca", "SENECA, 22 nm", 2.8)

HARDWARE: dict[str, Hardware] = {
    each.name: each
    for each in (
        PAPER_45NM,
        HOROWITZ_45NM,
        JOUPPI_7NM,
        LOIHI,
        SPINNAKER_2,
        TRUENORTH,
        SENECA,
    )
}


def described(fields: Mapping[str, Any]) -> Hardware:
    """The hardware that a config describes.

    Arguments:
        fields: `name` is one of `HARDWARE`, of which further fields replace those given, such as
            `batch`; or a name of its own, and then all that is to be charged is described.

    Raises:
        ValueError: there is no name, or a field is unknown or out of range.
    """
    name = fields.get("name")
    if name not in HARDWARE:
        if set(fields) <= {"name"}:
            raise ValueError(f"no hardware is called {name!r}: described are {[*HARDWARE]}")
        return Hardware.from_dict({"title": name, **fields})
    known = HARDWARE[name]
    changed = Hardware.from_dict({"title": known.title, **fields})
    return replace(known, **{key: getattr(changed, key) for key in fields})
