"""Turning a pretrained transformer into one of the systems that the paper compares with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import Tensor, nn

from las.baselines import calibrate
from las.baselines.calibrate import Observed, thresholds_of
from las.baselines.fired import FiredInPass
from las.baselines.left_float import ATTENTION, PRODUCTS, FloatLayer, FloatProducts
from las.baselines.methods import Granularity, Method, method_of
from las.baselines.part import Part
from las.baselines.run import RunOverTime
from las.baselines.site import Site
from las.calibration.batches import Batch
from las.components.component import share_run
from las.components.run_state import RunState
from las.conversion.prepare import give_own_configs, need_dense_model, restored_on_error
from las.conversion.rules.linear import is_linear
from las.errors import UnsupportedModelError
from las.hosts.twin import twin

Model = TypeVar("Model", bound=nn.Module)

NEURONS = "baseline_neurons"
FLOAT = "float_layer"


def convert(
    model: Model,
    batches: Iterable[Batch] | Observed,
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
        batches: calibration data, forward keyword arguments; or what `las.baselines.observe` saw
            of them, which serves several methods.
        method: a name in `las.baselines.METHODS`, or a `Method` of your own.
        time_steps: T; by default that of the method.

    Returns:
        The same model.

    Raises:
        UnsupportedModelError: no transformers model, a spiking one already, or one without a
            linear layer of the kind that the method lets spike.
        CalibrationError: batches of a wrong form, or none, or NaN or infinite activations.
        ValueError: an unknown method, T out of range, or a model that was observed otherwise.

    After an error the model is as it was.
    """
    chosen = method_of(method, time_steps)
    with made_a_baseline(model):
        if not isinstance(batches, Observed):
            batches = calibrate.observe(model, batches, chosen.per)
        place(model, chosen, thresholds_of(batches, chosen), batches.attending)
    return model


def observe(model: nn.Module, batches: Iterable[Batch], per: Granularity = "channel") -> Observed:
    """What the linear layers of a model read, for `convert` by several methods.

    Arguments:
        model: a transformers model; it stays as it is.
        batches: calibration data, forward keyword arguments.
        per: whether the methods have a threshold for each channel, or for the whole tensor.

    Raises:
        UnsupportedModelError: no transformers model, or a spiking one already.
        CalibrationError: batches of a wrong form, or none, or NaN or infinite activations.
    """
    need_dense_model(model)
    seen = twin(model)
    with made_a_baseline(seen):
        return calibrate.observe(seen, batches, per)


@contextmanager
def made_a_baseline(model: Any) -> Iterator[None]:
    """A dense model is made a baseline inside the block, or stays as it was after an error.

    Raises:
        UnsupportedModelError: no transformers model, or a spiking one already.
    """
    need_dense_model(model)
    if any(isinstance(module, Part) for module in model.modules()):
        raise UnsupportedModelError("the model is a baseline already")
    with restored_on_error(model):
        model.eval()
        give_own_configs(model)
        for module in model.modules():
            config: Any = getattr(module, "config", None)
            if hasattr(config, "use_cache"):
                config.use_cache = False
        model.set_attn_implementation(ATTENTION)
        yield


def place(
    model: Any, method: Method, thresholds: Mapping[str, Tensor], attending: Collection[str] = ()
) -> None:
    """Put neurons before layers, and what counts before the others; let calls go over time.

    Arguments:
        model: a transformers model.
        method: the method.
        thresholds: of the layers that spike, by path.
        attending: paths of attention modules; those that have attended before are known.
    """
    fired = FiredInPass()
    for path, layer in [*model.named_modules()]:
        if path in thresholds:
            site = Site(method, _outputs(layer), thresholds[path], fired)
            layer.add_module(NEURONS, site)
            layer.register_forward_pre_hook(site.hook)
        elif is_linear(layer):
            counter = FloatLayer(_outputs(layer))
            layer.add_module(FLOAT, counter)
            layer.register_forward_pre_hook(counter.hook)
        elif path in attending:
            layer.add_module(PRODUCTS, FloatProducts())
    parts = []
    for path, module in model.named_modules():
        if isinstance(module, Part):
            module.name = path
            parts.append(module)
    share_run(model, RunState())
    if (generation := getattr(model, "generation_config", None)) is not None:
        generation.use_cache = False
    model.forward = RunOverTime(model.forward, parts, method)


def _outputs(layer: Any) -> int:
    return int(layer.out_features if isinstance(layer, nn.Linear) else layer.nf)
