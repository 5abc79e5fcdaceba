"""las: pretrained transformers as fully spike-driven networks, without loss."""
# ruff: noqa: E402  what follows imports torch, which reads its settings when it does, and
# transformers, which needs a torchvision that imports

from las.hosts.openmp import let_threads_sleep
from las.hosts.torchvision_operators import define_missing_operators

let_threads_sleep()
define_missing_operators()

import las.energy  # noqa: F401  the package, before the function of that name below
from las import errors
from las.config import SpikeConfig
from las.conversion import convert, converts, load, save, simulate, stop_after
from las.conversion.audit import audit
from las.energy.counting import count_spikes
from las.energy.model_energy import energy
from las.planning import plan

__all__ = [
    "SpikeConfig",
    "audit",
    "convert",
    "converts",
    "count_spikes",
    "energy",
    "errors",
    "load",
    "plan",
    "save",
    "simulate",
    "stop_after",
]
