"""Looking on while a model runs: its operations, and what its neurons emit."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from las.components.site import version_of
from las.foreign.error import AccountError
from las.foreign.levels import levels_of
from las.foreign.names import within
from las.foreign.operations import Operation, Reads, operation, unread

_SHOWN = 5
"""So many values are shown of a tensor that holds no spikes."""


@dataclass(frozen=True)
class Seen:
    """A tensor that came by.

    Attributes:
        levels: the signed level of each spike, int8; None where it holds no spikes.
        shape: its shape.
        sample: some values that are no spikes.
        reads: how many accumulations each element feeds; see `Operand`.
        known: the name that it has as a population of neurons, if it came by before.
    """

    levels: Tensor | None
    shape: torch.Size
    sample: tuple[float, ...] = ()
    reads: Reads = 0
    known: str = ""


@dataclass(frozen=True)
class Call:
    """One call of an operation, or of a module of neurons, which multiplies nothing.

    Attributes:
        kind: see `Operation`; of neurons the name of their class.
        seen: the operands that are no weights, or the output of the neurons.
        macs: multiply-accumulates, dense.
        outputs: scalars that it makes.
        weights: stored numbers that it multiplies with.
    """

    kind: str
    seen: tuple[Seen, ...]
    macs: int = 0
    outputs: int = 0
    weights: int = 0


@dataclass
class Pass:
    """What happened in one pass of a model over a batch, by name, in order.

    Attributes:
        operations: the calls of each operation.
        layers: the module that each operation belongs to.
        neurons: the calls of each module of neurons.
        unread: functions that multiply and cannot be looked into, each with the path of its module;
            what happens within neurons is no matter.
    """

    operations: dict[str, list[Call]] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    neurons: dict[str, list[Call]] = field(default_factory=dict)
    unread: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class _Running:
    """A module that is being called, and how many operations of each kind it has done so far."""

    path: str
    done: dict[str, int] = field(default_factory=dict)


@contextmanager
def watched(model: nn.Module, neurons: Mapping[str, nn.Module], time_steps: int) -> Iterator[Pass]:
    """Write down what the model does inside the block, in this thread.

    Arguments:
        model: any module.
        neurons: modules of it that emit spikes, by path.
        time_steps: T.

    Raises:
        AccountError: an input of an operation, or an output of neurons, is NaN or infinite.
    """
    seen = Pass()
    with ExitStack() as blocks:
        watch = _Watch(model, seen, tuple(neurons), time_steps)
        for path, module in model.named_modules():
            enter, leave = watch.hooks(path)
            blocks.callback(module.register_forward_pre_hook(enter).remove)
            blocks.callback(module.register_forward_hook(leave, always_call=True).remove)
        for path, module in neurons.items():
            blocks.callback(module.register_forward_hook(watch.emitted(path)).remove)
        blocks.enter_context(watch)
        yield seen


class _Watch(TorchFunctionMode):
    """Is told every function of PyTorch that the model calls, whatever module calls it."""

    def __init__(
        self, model: nn.Module, seen: Pass, neurons: Sequence[str], time_steps: int
    ) -> None:
        super().__init__()
        self._seen = seen
        self._neurons = neurons
        self._time_steps = time_steps
        self._stack = [_Running("")]
        self._weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self._tensors: dict[int, tuple[weakref.ref[Tensor], int, Seen]] = {}

    def hooks(self, path: str) -> tuple[Any, Any]:
        """What is called before and after the module at a path."""

        def enter(*_: Any) -> None:
            self._stack.append(_Running(path))

        def leave(*_: Any) -> None:
            if len(self._stack) > 1:
                self._stack.pop()

        return enter, leave

    def emitted(self, path: str) -> Any:
        """What is called after the neurons at a path: their spikes are the output, or its first."""

        def hook(module: nn.Module, _: Any, output: Any) -> None:
            spikes = output[0] if isinstance(output, (tuple, list)) and output else output
            if not isinstance(spikes, Tensor):
                kinds = type(module).__name__, type(spikes).__name__
                raise AccountError(f"{path}, a {kinds[0]}, emits no tensor but a {kinds[1]}")
            call = Call(type(module).__name__, (self._look(spikes, path, path),))
            self._seen.neurons.setdefault(path, []).append(call)

        return hook

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        done = operation(func, args, kwargs, result, self._is_weight)
        if done is not None:
            self._note(done)
        elif (hidden := unread(func, args)) and not within(self._stack[-1].path, self._neurons):
            self._seen.unread.add((self._stack[-1].path, hidden))
        return result

    def _is_weight(self, x: Tensor) -> bool:
        return isinstance(x, nn.Parameter) or x.untyped_storage().data_ptr() in self._weights

    def _note(self, done: Operation) -> None:
        """Write down an operation under the name of the module that does it."""
        running = self._stack[-1]
        number = running.done[done.kind] = running.done.get(done.kind, 0) + 1
        parts = [running.path] if running.path else []
        if done.kind == "matmul":
            parts.append("product" if number == 1 else f"product_{number}")
        elif number > 1 or not parts:
            parts.append(f"linear_{number}")
        name = ".".join(parts)
        ends = ("left", "right") if len(done.operands) == 2 else ("input",)
        looked = tuple(
            self._look(operand.x, f"{name}.{end}", name, operand.reads)
            for operand, end in zip(done.operands, ends, strict=True)
        )
        self._seen.layers.setdefault(name, running.path)
        call = Call(done.kind, looked, done.macs, done.outputs, done.weights)
        self._seen.operations.setdefault(name, []).append(call)

    def _look(self, x: Tensor, name: str, layer: str, reads: Reads = 0) -> Seen:
        """Look at a tensor, once for all that read it."""
        kept = self._tensors.get(id(x))
        if kept is not None and kept[0]() is x and kept[1] == version_of(x):
            before = kept[2]
            return Seen(before.levels, before.shape, before.sample, reads, before.known)
        if not bool(torch.isfinite(x).all()):
            raise AccountError(
                f"NaN or infinite values at {layer}: they are neither spike nor rest"
            )
        levels = levels_of(x, self._time_steps)
        sample = () if levels is not None else _sample(x)
        self._tensors[id(x)] = (
            weakref.ref(x),
            version_of(x),
            Seen(levels, x.shape, sample, 0, name),
        )
        return Seen(levels, x.shape, sample, reads)


def _sample(x: Tensor) -> tuple[float, ...]:
    """The first few different values that are not zero."""
    values = x[x != 0].flatten()[:1000].unique()[:_SHOWN]
    return tuple(float(value) for value in values)
