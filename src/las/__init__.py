"""las: pretrained transformers as fully spike-driven networks, without loss.

`import las` takes a fraction of a second: torch, transformers and the parts of las that need them
are imported when a function is first used. Two import hooks do what cannot wait that long. With
the first, `AutoModel*.from_pretrained` loads spiking models that were saved whole; with the second,
a torchvision that was built for another torch can be imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from las import errors
from las.config import SpikeConfig
from las.hosts.openmp import let_threads_sleep
from las.hosts.saved_models import register_with_transformers
from las.hosts.torchvision_operators import make_torchvision_importable

if TYPE_CHECKING:
    from las.conversion import convert, converts, load, recalibrate, save, simulate, stop_after
    from las.conversion.audit import audit
    from las.energy.counting import count_spikes
    from las.energy.model_energy import energy, energy_accounts
    from las.foreign import account
    from las.planning import plan
    from las.reporting.raster import raster
    from las.spikes import spike_events, spiking_sites

__all__ = [
    "SpikeConfig",
    "account",
    "audit",
    "convert",
    "converts",
    "count_spikes",
    "energy",
    "energy_accounts",
    "errors",
    "load",
    "plan",
    "raster",
    "recalibrate",
    "save",
    "simulate",
    "spike_events",
    "spiking_sites",
    "stop_after",
]

_HOMES = {
    "account": "las.foreign",
    "audit": "las.conversion.audit",
    "convert": "las.conversion",
    "converts": "las.conversion",
    "count_spikes": "las.energy.counting",
    "energy_accounts": "las.energy.model_energy",
    "load": "las.conversion",
    "plan": "las.planning",
    "raster": "las.reporting.raster",
    "recalibrate": "las.conversion",
    "save": "las.conversion",
    "simulate": "las.conversion",
    "spike_events": "las.spikes",
    "spiking_sites": "las.spikes",
    "stop_after": "las.conversion",
}
_PACKAGES = (
    "baselines",
    "calibration",
    "components",
    "conversion",
    "files",
    "fitting",
    "neurons",
    "planning",
    "spikes",
)


def __getattr__(name: str) -> Any:
    """Import a name when it is first used (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return import_module(f"las.{name}")
    raise AttributeError(f"module 'las' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})


class _Las(ModuleType):
    """The module `las`. Its `energy` is always the function, never the package `las.energy`."""

    @property
    def energy(self) -> Any:
        return import_module("las.energy.model_energy").energy

    @energy.setter
    def energy(self, package: ModuleType) -> None:
        """Ignore the package, which Python assigns here once it is imported."""


sys.modules[__name__].__class__ = _Las
let_threads_sleep()
make_torchvision_importable()
register_with_transformers(lambda: import_module("las.conversion.checkpoint"))
