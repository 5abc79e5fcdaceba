"""What the inputs of linear layers look like, and the thresholds that follow from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from las.baselines.left_float import FloatProducts
from las.baselines.methods import Granularity, Method
from las.baselines.part import Part
from las.baselines.thresholds import Magnitudes, thresholds
from las.calibration.batches import Batch, check_iterable, numbered, running_on
from las.components.padding import token_masks
from las.components.run_state import RunState
from las.conversion.rules.linear import is_linear
from las.errors import CalibrationError, UnsupportedModelError

_ACTIVATIONS = ("torch.nn.modules.activation", "transformers.activations")


@dataclass(frozen=True)
class Observed:
    """What the linear layers of a model read on calibration data: enough for every method.

    Attributes:
        model: name of the model's class.
        per: whether magnitudes are known for each channel or for the whole tensor.
        magnitudes: by path of the layer, of those that ran.
        reading: paths of the layers that read an activation function.
        attending: paths of the modules that have attended.
    """

    model: str
    per: Granularity
    magnitudes: Mapping[str, Magnitudes]
    reading: Collection[str]
    attending: Collection[str]


def observe(model: nn.Module, batches: Iterable[Batch], per: Granularity) -> Observed:
    """Look at what the linear layers of a model read; the model stays as it is.

    Arguments:
        model: a transformers model.
        batches: forward keyword arguments.
        per: what each threshold will be for.

    Raises:
        CalibrationError: batches of a wrong form, or none, or NaN or infinite activations.
    """
    run, tokens = RunState(), 0
    with torch.no_grad(), _looking_on(model, per, run) as seen, _reading(model) as reading:
        progress = tqdm(check_iterable(batches), desc="calibrating", unit="batch")
        for name, batch, of_batch in numbered(model, progress):
            with running_on(model, name), run.within(token_masks(model, batch)):
                model(**batch)
            tokens += of_batch.count
    if not tokens:
        raise CalibrationError("there are no calibration batches, or nothing but padding in them")
    known = {path: one for path, one in seen.items() if one.counts.numel()}
    attending = {
        path.rpartition(".")[0]
        for path, module in model.named_modules()
        if isinstance(module, FloatProducts)
    }
    return Observed(type(model).__name__, per, known, frozenset(reading), attending)


def thresholds_of(observed: Observed, method: Method) -> dict[str, Tensor]:
    """The thresholds of the layers that are to spike, by path.

    Arguments:
        observed: what the model's layers read.
        method: says which layers spike, and the rule.

    Raises:
        ValueError: magnitudes are not known as the method needs them.
        UnsupportedModelError: no layer is to spike.
    """
    if observed.per != method.per:
        raise ValueError(
            f"the method has thresholds per {method.per}, and the model was observed per "
            f"{observed.per}: observe it with per={method.per!r}"
        )
    wanted = {
        path: one
        for path, one in observed.magnitudes.items()
        if method.sites == "linear" or path in observed.reading
    }
    if not wanted:
        which = "after an activation function" if method.sites == "ffn" else "in use"
        raise UnsupportedModelError(
            f"{observed.model} has no linear layer {which}: there is nothing to spike"
        )
    return {path: thresholds(one, method) for path, one in wanted.items()}


class _Observer(Part):
    """Looks at what a linear layer reads."""

    def __init__(self, path: str, run: RunState, seen: Magnitudes) -> None:
        super().__init__()
        self.name = path
        self.run = run
        self.seen = seen

    def hook(self, layer: nn.Module, args: tuple[Any, ...]) -> None:
        """A forward pre-hook of the layer."""
        self.seen.add(self.unpadded(args[0]), self.name)


@contextmanager
def _looking_on(
    model: nn.Module, per: Granularity, run: RunState
) -> Iterator[dict[str, Magnitudes]]:
    """Magnitudes of what each linear layer reads inside the block, by path."""
    seen: dict[str, Magnitudes] = {}
    with ExitStack() as blocks:
        for path, layer in model.named_modules():
            if is_linear(layer):
                seen[path] = Magnitudes(per == "channel")
                observer = _Observer(path, run, seen[path])
                blocks.callback(layer.register_forward_pre_hook(observer.hook).remove)
        yield seen


@contextmanager
def _reading(model: nn.Module) -> Iterator[set[str]]:
    """The linear layers that read an activation function, or its product with a gate.

    That is, the next layer that runs after it and reads as many channels as it has.
    """
    reading: set[str] = set()
    waiting: list[int] = []
    paths = {layer: path for path, layer in model.named_modules()}

    def after(module: nn.Module, args: Any, output: Any) -> None:
        waiting[:] = [output.shape[-1]]

    def before(layer: nn.Module, args: Any) -> None:
        if waiting == [args[0].shape[-1]]:
            reading.add(paths[layer])
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
