"""Turning a pretrained transformer into one of the systems that the paper compares with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import nn
from tqdm.auto import tqdm

from las.baselines.left_float import ATTENTION, FloatLayer
from las.baselines.methods import Method, method_of
from las.baselines.part import Part
from las.baselines.run import RunOverTime
from las.baselines.site import Site
from las.baselines.thresholds import Magnitudes
from las.calibration.batches import Batch, check_iterable, numbered, running_on
from las.components.component import share_run
from las.components.padding import token_masks
from las.components.run_state import RunState
from las.conversion.prepare import give_own_configs, need_dense_model, restored_on_error
from las.conversion.rules.linear import is_linear
from las.errors import CalibrationError, UnsupportedModelError

Model = TypeVar("Model", bound=nn.Module)

NEURONS = "baseline_neurons"
FLOAT = "float_layer"

_ACTIVATIONS = ("torch.nn.modules.activation", "transformers.activations")


def convert(
    model: Model,
    batches: Iterable[Batch],
    method: str | Method,
    *,
    time_steps: int | None = None,
) -> Model:
    """Let the inputs of a model's linear layers spike by a published method, in place.

    The model then runs over T time steps whenever it is called, and returns what it has after
    them. It is not lossless: nothing is compared with the original. `las.count_spikes` and
    `las.energy` count it as they do a model of `las.convert`; what reads no spikes costs its
    multiply-accumulates at each time step. `las.baselines.left_float` says what that is.

    Arguments:
        model: a transformers model; it is put into evaluation mode, and keeps no cache.
        batches: calibration data, forward keyword arguments.
        method: a name in `las.baselines.METHODS`, or a `Method` of your own.
        time_steps: T; by default that of the method.

    Returns:
        The same model.

    Raises:
        UnsupportedModelError: no transformers model, a spiking one already, or one without a
            linear layer of the kind that the method lets spike.
        CalibrationError: batches of a wrong form, or none, or NaN or infinite activations.
        ValueError: an unknown method, or T out of range.

    After an error the model is as it was.
    """
    chosen = method_of(method, time_steps)
    need_dense_model(model)
    if any(isinstance(module, Part) for module in model.modules()):
        raise UnsupportedModelError("the model is a baseline already")
    with restored_on_error(model):
        model.eval()
        give_own_configs(model)
        _keep_no_cache(model)
        model.set_attn_implementation(ATTENTION)  # type: ignore[operator]
        _put_sites(model, chosen)
        _calibrate(model, batches, chosen)
        _run_over_time(model, chosen)
    return model


def _put_sites(model: nn.Module, method: Method) -> None:
    """Neurons before every linear layer; those that do not spike go after calibration."""
    for path, layer in [*model.named_modules()]:
        if is_linear(layer):
            site = Site(method, _outputs(layer))
            site.name = f"{path}.{NEURONS}"
            layer.add_module(NEURONS, site)
            layer.register_forward_pre_hook(site.hook)
    share_run(model, RunState())


def _calibrate(model: nn.Module, batches: Iterable[Batch], method: Method) -> None:
    """Run the batches, and choose the thresholds of the sites that stay."""
    sites = {path: one for path, one in model.named_modules() if isinstance(one, Site)}
    for site in sites.values():
        site.seen = Magnitudes(method.per == "channel")
    run = next(iter(sites.values())).run if sites else RunState()
    tokens = 0
    with torch.no_grad(), _reading_activations(model) as reading:
        progress = tqdm(check_iterable(batches), desc="calibrating", unit="batch")
        for name, batch, of_batch in numbered(model, progress):
            with running_on(model, name), run.within(token_masks(model, batch)):
                model(**batch)
            tokens += of_batch.count
    if not tokens:
        raise CalibrationError("there are no calibration batches, or nothing but padding in them")
    for path, site in sites.items():
        layer = model.get_submodule(path.rpartition(".")[0])
        wanted = method.sites == "linear" or layer in reading
        if wanted and site.seen is not None and site.seen.counts.numel():
            site.calibrate()
        else:
            layer._forward_pre_hooks.clear()
            del layer._modules[NEURONS]
            counter = FloatLayer(_outputs(layer))
            layer.add_module(FLOAT, counter)
            layer.register_forward_pre_hook(counter.hook)
    if not any(isinstance(module, Site) for module in model.modules()):
        which = "after an activation function" if method.sites == "ffn" else "in use"
        raise UnsupportedModelError(
            f"{type(model).__name__} has no linear layer {which}: there is nothing to spike"
        )


@contextmanager
def _reading_activations(model: nn.Module) -> Iterator[set[nn.Module]]:
    """The linear layers that read an activation function, or its product with a gate.

    That is, the next layer that runs after it and reads as many channels as it has.
    """
    reading: set[nn.Module] = set()
    waiting: list[int] = []

    def after(module: nn.Module, args: Any, output: Any) -> None:
        waiting[:] = [output.shape[-1]]

    def before(layer: nn.Module, args: Any) -> None:
        if waiting == [args[0].shape[-1]]:
            reading.add(layer)
            waiting.clear()

    def begin(*_: Any) -> None:
        waiting.clear()

    with ExitStack() as blocks:
        blocks.callback(model.register_forward_pre_hook(begin).remove)
        for module in model.modules():
            if type(module).__module__ in _ACTIVATIONS:
                blocks.callback(module.register_forward_hook(after).remove)
            elif is_linear(module):
                blocks.callback(module.register_forward_pre_hook(before).remove)
        yield reading


def _keep_no_cache(model: nn.Module) -> None:
    for module in model.modules():
        config: Any = getattr(module, "config", None)
        if hasattr(config, "use_cache"):
            config.use_cache = False


def _run_over_time(model: Any, method: Method) -> None:
    """Let every call of the model go over time, without a cache."""
    parts = []
    for path, module in model.named_modules():
        if isinstance(module, Part):
            module.name = path
            parts.append(module)
    if (generation := getattr(model, "generation_config", None)) is not None:
        generation.use_cache = False
    share_run(model, RunState())
    model.forward = RunOverTime(model.forward, parts, method)


def _outputs(layer: Any) -> int:
    return int(layer.out_features if isinstance(layer, nn.Linear) else layer.nf)
