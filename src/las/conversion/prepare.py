"""Swapping the modules of a model for their spike-equivalents."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Set
from contextlib import contextmanager
from typing import Any

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from las.components import attention, operations
from las.components.attention import SpikingAttention
from las.components.component import SpikingModule, share_run
from las.components.run_state import RunState
from las.components.site import OATSite, Site
from las.config import Vision
from las.conversion.registry import converter_of, how_to_register
from las.errors import UnsupportedModelError
from las.hosts.offload import hand_hooks_over, hooked_modules
from las.hosts.towers import vision_towers
from las.options import shown


def is_spiking(model: nn.Module) -> bool:
    """Whether a model has been prepared or converted."""
    return any(isinstance(module, Site) for module in model.modules())


def prepare(
    model: nn.Module, vision: Vision = "spiking", *, dense: Collection[str] = ()
) -> nn.Module:
    """Put spiking components in the place of every supported module, in place.

    The neurons have no thresholds yet: calibrate, or load them. The model gets config objects of
    its own, for other models may share those that it has.

    Arguments:
        model: a transformers model.
        vision: "analog" leaves vision towers as they are.
        dense: paths of other parts that stay as they are.

    Returns:
        The same model.

    Raises:
        UnsupportedModelError: no transformers model, converted already, a module or attention
            without a spike-equivalent, or nothing left to convert; the model is left as it was.
    """
    need_dense_model(model)
    analog = vision_towers(model) if vision == "analog" else {}
    if "" in analog:
        raise UnsupportedModelError(
            f"{type(model).__name__} is a vision tower: with vision='analog' nothing of it spikes"
        )
    check_supported(model, tuple(f"{path}." for path in (*analog, *dense)))
    kept = {path: model.get_submodule(path) for path in dense}
    with restored_on_error(model):
        give_own_configs(model)
        hooked = hooked_modules(model)
        if (converter := converter_of(model)) is not None:
            converter(model)
            for path, module in kept.items():
                model.set_submodule(path, module)
        _swap_children(model, {*analog.values(), *kept.values()})
        hand_hooks_over(model, hooked)
        use_spiking_attention(model)
        model.eval()
        name_sites(model)
    return model


def need_dense_model(model: nn.Module) -> None:
    """Raise UnsupportedModelError if a model is none of transformers, or spikes already."""
    known = hasattr(model, "set_attn_implementation") and hasattr(model, "config")
    known = known and isinstance(model, nn.Module)
    if not known or hasattr(model, "_orig_mod"):  # what torch.compile returns passes as the model
        for path, module in model.named_modules() if isinstance(model, nn.Module) else ():
            if isinstance(module, PreTrainedModel):
                raise UnsupportedModelError(
                    f"{type(model).__name__} is a wrapper around {type(module).__name__}: convert "
                    f"model.get_submodule({path!r}) instead, and wrap the result"
                )
        raise UnsupportedModelError(
            f"{shown(model)} is no transformers model: las converts instances of PreTrainedModel"
        )
    if is_spiking(model):
        raise UnsupportedModelError("the model is a spiking one already")


def give_own_configs(model: nn.Module) -> None:
    """Let all modules of a model refer to copies of their config objects, one copy of each.

    Modules that share an object, or of which one has a part of what another one has, go on sharing
    it.
    """
    copies: dict[int, Any] = {}
    for module in model.modules():
        for name, config in _configs(module).items():
            module.__dict__[name] = copy.deepcopy(config, copies)


def _configs(module: nn.Module) -> dict[str, PreTrainedConfig]:
    """The config objects that a module refers to, by the names of its attributes."""
    return {
        name: value for name, value in vars(module).items() if isinstance(value, PreTrainedConfig)
    }


def use_spiking_attention(model: Any) -> None:
    """Let transformers call the spiking attention, but in vision towers that were left analog."""
    left = [tower.config for tower in vision_towers(model).values() if not is_spiking(tower)]
    before = [config._attn_implementation for config in left]
    own = [
        part.config
        for part in model.modules()
        if isinstance(part, PreTrainedModel) and _attends_itself(part)
    ]
    kept = [config._attn_implementation for config in own]
    model.set_attn_implementation(attention.NAME)
    for config, name in zip(own, kept, strict=True):  # they ask for masks of the kind they know
        config._attn_implementation = name
    for config, name in zip(left, before, strict=True):
        config._attn_implementation = name


def _attends_itself(model: nn.Module) -> bool:
    """Whether the attention modules of a model multiply and soften in their own forward."""
    parts = [module for module in model.modules() if hasattr(module, operations.CHILD)]
    return bool(parts) and not any(hasattr(one, attention.CHILD) for one in model.modules())


@contextmanager
def restored_on_error(model: nn.Module) -> Iterator[None]:
    """Put a model back as it was if the block raises.

    What a conversion changes is undone: which modules it holds, whether they train, their hooks
    and their config objects. Parameters are never changed.

    Arguments:
        model: a model before its conversion.
    """
    # the same module under two names counts twice, which `named_children` would leave out
    children = {module: dict(module._modules) for module in model.modules()}
    hooks = {module: dict(module._forward_pre_hooks) for module in children}
    later = {module: dict(module._forward_hooks) for module in children}
    training = {module: module.training for module in children}
    configs = {module: _configs(module) for module in children}
    try:
        yield
    except BaseException:
        for module, held in children.items():
            module._modules.clear()
            module._modules.update(held)
            module.training = training[module]
            for handle in set(module._forward_pre_hooks) - set(hooks[module]):
                del module._forward_pre_hooks[handle]
                module._forward_pre_hooks_with_kwargs.pop(handle, None)
            for handle in set(module._forward_hooks) - set(later[module]):
                del module._forward_hooks[handle]
                module._forward_hooks_always_called.pop(handle, None)
            module.__dict__.update(configs[module])
        raise


def check_supported(model: nn.Module, left: tuple[str, ...] = ()) -> None:
    """Raise UnsupportedModelError, naming the modules that plainly cannot be replaced.

    These are activation functions and layers with a matrix of weights that no rule knows. What
    else computes on activations is found by the audit of `convert`.

    Arguments:
        model: a transformers model.
        left: paths of parts that are to stay, each with a dot behind it.
    """
    unknown: dict[type, list[str]] = {}
    for path, module in model.named_modules():
        if f"{path}.".startswith(left):
            continue
        converter = converter_of(module)
        if converter is not None and _is_hooked(module):
            raise UnsupportedModelError(
                f"{path} has forward hooks, which its spike-equivalent would lose: remove them, "
                "convert, and register them again"
            )
        if converter is None and _computes(module):
            unknown.setdefault(type(module), []).append(path)
    if unknown:
        listed = "; ".join(
            f"{kind.__name__} ({paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''})"
            for kind, paths in unknown.items()
        )
        raise UnsupportedModelError(
            f"{type(model).__name__} has modules without a spike-equivalent: {listed}. "
            f"{how_to_register(next(iter(unknown)).__name__)}"
        )


def _computes(module: nn.Module) -> bool:
    """Whether a leaf is an activation function, or multiplies by a matrix of weights.

    A softmax is none: attention that calls it in its own forward is answered there.
    """
    if next(module.children(), None) is not None or isinstance(module, nn.Embedding | nn.Softmax):
        return False
    weight = module._parameters.get("weight")
    is_function = type(module).__module__ in (
        "torch.nn.modules.activation",
        "transformers.activations",
    )
    return is_function or (weight is not None and weight.dim() == 2)


def _is_hooked(module: nn.Module) -> bool:
    """Whether a module has forward hooks other than those with which transformers captures outputs.

    It captures those of layers and attention modules, which stay. Hooks of accelerate are of
    another kind: the spike-equivalent takes them over.
    """
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    return any(hook.__module__ != "transformers.utils.output_capturing" for hook in hooks)


def _swap_children(module: nn.Module, analog: Set[nn.Module]) -> None:
    for name, child in list(module.named_children()):
        if child in analog:
            continue
        if (converter := converter_of(child)) is not None:
            converted = converter(child)
            if converted is not child:
                setattr(module, name, converted)
                continue
        if not isinstance(child, SpikingAttention):
            _swap_children(child, analog)


def name_sites(model: nn.Module) -> None:
    """Give all components and neuron sites their module paths as names, and one run state."""
    for path, module in model.named_modules():
        if isinstance(module, SpikingModule):
            module.name = path
    share_run(model, RunState())


def share_sites(model: nn.Module, shared: dict[str, str]) -> None:
    """Let components that read the same tensor share one population of neurons.

    Arguments:
        model: a prepared model.
        shared: a site's name, to the name of the site that serves it.
    """
    readers = {
        site.name: (module, attribute)
        for module in model.modules()
        for attribute, site in module.named_children()
        if isinstance(site, OATSite)
    }
    for name, owner in shared.items():
        (reader, attribute), (first, owned) = readers[name], readers[owner]
        site = getattr(first, owned)
        setattr(reader, attribute, site)
        site.fan_out += 1
