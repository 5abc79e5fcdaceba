"""Weights that accelerate keeps elsewhere: on several GPUs, in the CPU's memory, or on disk.

Its hooks stand around the forward of a module: they send the inputs to the module's device and
bring its weights in for as long as it runs. A spiking component reads weights only while it runs
and keeps their names, so that the hooks of the module it replaces serve it as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from las.errors import UnsupportedModelError


def hooked_modules(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that carry a hook of accelerate, by path."""
    return {path: module for path, module in model.named_modules() if hasattr(module, "_hf_hook")}


def offloads(model: nn.Module) -> bool:
    """Whether weights come in from elsewhere only for as long as their module runs."""
    hooks = [module._hf_hook for module in hooked_modules(model).values()]
    hooks += [one for hook in hooks for one in getattr(hook, "hooks", ())]
    return any(getattr(hook, "offload", False) for hook in hooks)


def hand_hooks_over(model: nn.Module, hooked: dict[str, nn.Module]) -> None:
    """Let hooks serve what now stands in the place of their modules.

    Arguments:
        model: a model some of whose modules have been replaced.
        hooked: what `hooked_modules` found before.

    Raises:
        UnsupportedModelError: nothing stands in a module's place, or it has other weights.
    """
    from accelerate.hooks import ModelHook, add_hook_to_module

    for path, before in hooked.items():
        hook: Any = before._hf_hook
        try:
            module = model.get_submodule(path)
        except AttributeError:
            module = None
        wanted = {name for name, _ in before.named_parameters()}
        if module is None or {name for name, _ in module.named_parameters()} != wanted:
            raise UnsupportedModelError(
                f"{path} was placed by accelerate, and its spike-equivalent has no weights of the "
                "same names: convert the model before it is dispatched"
            )
        if module is not before:
            add_hook_to_module(module, ModelHook())  # wraps the forward, and touches no weight
            held: Any = module
            held._hf_hook = hook


@contextmanager
def weights_in_place(module: nn.Module) -> Iterator[None]:
    """Bring a module's own weights in, for code that reads them beside the forward."""
    hook = getattr(module, "_hf_hook", None)
    if hook is None:
        yield
        return
    hook.pre_forward(module)
    try:
        yield
    finally:
        hook.post_forward(module, None)


def named_weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter with its name, sorted by name, wherever it is kept; tied ones once.

    A tensor is good until the next one is asked for.

    Raises:
        UnsupportedModelError: a parameter has no values.
    """
    tied = getattr(model, "all_tied_weights_keys", None) or {}
    kept = {
        name: parameter
        for name, parameter in model.named_parameters()
        if not (parameter.is_meta and name in tied)  # away from each other they are two tensors
    }
    for path, names in groupby(sorted(kept), key=lambda name: name.rpartition(".")[0]):
        with weights_in_place(model.get_submodule(path)):
            for name in names:
                tensor = model.get_parameter(name)
                if tensor.is_meta:
                    raise UnsupportedModelError(
                        f"{name} is on the meta device, and no hook of its module brings it in"
                    )
                yield name, tensor


def input_device(model: nn.Module) -> torch.device:
    """Where a model takes its inputs; hooks send them on to where they are needed."""
    for module in model.modules():
        device = getattr(getattr(module, "_hf_hook", None), "execution_device", None)
        if device is not None:
            return torch.device(device)
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
