"""Spiking neurons of other libraries, told by the names of their classes and modules.

None of these libraries is imported: what is recognised need not be installed.
"""

from __future__ import annotations

from torch import nn

_HOMES = (
    "spikingjelly.activation_based.neuron",
    "spikingjelly.clock_driven.neuron",  # up to 0.0.0.0.12
    "snntorch._neurons",
    "norse.torch.module.iaf",
    "norse.torch.module.izhikevich",
    "norse.torch.module.lif",
    "norse.torch.module.lsnn",
)
"""Where the classes of neurons are defined; also the beginnings of longer paths."""

_NO_NEURONS = ("NonSpiking", "LIAF", "RecurrentOneToOne")
"""Parts of the names of classes there whose outputs are no spikes."""


def recognised(module: nn.Module) -> bool:
    """Whether a module is a population of neurons of SpikingJelly, snnTorch or Norse."""
    kinds = [kind for kind in type(module).__mro__ if kind.__module__.startswith(_HOMES)]
    return bool(kinds) and not any(part in kind.__name__ for kind in kinds for part in _NO_NEURONS)


def reset(model: nn.Module) -> None:
    """Set what has a state in SpikingJelly back to before the first time step."""
    for module in model.modules():
        of_theirs = any(
            kind.__module__.startswith("spikingjelly.") for kind in type(module).__mro__
        )
        if of_theirs and callable(back := getattr(module, "reset", None)):
            back()
