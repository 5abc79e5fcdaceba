"""A spiking state on a model with another head than the one that it was taken from.

transformers loads a checkpoint into any model class of its family: the base model, or one with
another head. The names of modules then differ by the prefix of the base model, and what the
checkpoint does not know is newly initialised.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from las.conversion.prepare import prepare
from las.conversion.registry import converter_of
from las.conversion.state import SpikingState, apply
from las.errors import AdapterError
from las.hosts.towers import vision_towers

_WITHIN = 3
"""A neuron site lies at most so many names below a module of the model as it was."""


def build(model: nn.Module, state: SpikingState) -> SpikingState:
    """Put spiking components into a model and give its neurons the parameters of a state.

    A head that the state knows nothing of stays as it is, with a warning.

    Arguments:
        model: a transformers model of the family that the state was taken from, not converted.
        state: thresholds and functions.

    Returns:
        The state as it is for this model: the same one, or one with other names and no report, for
        nobody compared this model with an original.

    Raises:
        AdapterError: the state is of another model.
    """
    named = state_for(model, state)
    dense = unknown_parts(model, named)
    if dense:
        warnings.warn(
            f"the spiking state knows nothing of {', '.join(dense)} of {type(model).__name__}: it "
            "stays as it is, without spikes. Train it if it is new; to let it spike, use "
            "las.convert on the original model with this head",
            stacklevel=2,
        )
        named = replace(named, report=None)
    prepare(model, state.config.vision, dense=dense)
    apply(model, named)
    return named


def state_for(model: nn.Module, state: SpikingState) -> SpikingState:
    """A state with the names that its sites have in a model; what the model lacks is left out.

    Raises:
        AdapterError: the model has none of its sites.
    """
    of_base = getattr(model, "base_model_prefix", "")
    paths = {path for path, _ in model.named_modules()} - {"", of_base}
    prefix = f"{of_base}."
    ways: list[Callable[[str], str]] = [
        lambda name: name,
        lambda name: name.removeprefix(prefix),
        lambda name: prefix + name,
    ]
    names = [*state.thresholds.sites, *state.shared]
    found = [sum(_has(paths, way(name)) for name in names) for way in ways]
    if names and not any(found):
        raise AdapterError(
            f"the spiking state is that of a {state.model_type} model, and {type(model).__name__} "
            f"has none of its modules, such as {names[0]}: load it into a model of that family"
        )
    best = found.index(max(found))
    return state if best == 0 else state.renamed(ways[best])


def unknown_parts(model: nn.Module, state: SpikingState) -> list[str]:
    """Paths of heads with weights that would spike, but of which a state knows no site.

    A head is a part of the model itself, or a part of its base model that is no stack of layers,
    such as a pooler.
    """
    names = [*state.thresholds.sites, *state.shared]
    base: Any = getattr(model, "base_model", model)
    left = vision_towers(model) if state.config.vision == "analog" else {}
    analog = {part for tower in left.values() for part in tower.modules()}
    paths = {module: path for path, module in model.named_modules()}
    unknown = []
    for whole in dict.fromkeys((model, base)):
        for child in whole.children():
            path = paths[child]
            if child is base or any(name.startswith(f"{path}.") for name in names):
                continue
            parts = set(child.modules()) - analog
            stack = whole is base and any(isinstance(part, nn.ModuleList) for part in parts)
            has_weights = next(child.parameters(), None) is not None
            if not stack and has_weights and any(converter_of(part) for part in parts):
                unknown.append(path)
    return unknown


def _has(paths: set[str], site: str) -> bool:
    """Whether a model with these module paths may have a neuron site of this name."""
    for _ in range(_WITHIN):
        site = site.rpartition(".")[0]
        if site in paths:
            return True
    return False
