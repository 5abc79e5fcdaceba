"""The run states of the converted models that a module is, holds or is a part of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from torch import nn

from las.components.component import SpikingModule
from las.components.run_state import Observer, RunState
from las.errors import LasError
from las.options import shown


@dataclass(frozen=True)
class Running:
    """One converted model.

    Attributes:
        run: its state.
        path: where in the module that was asked for it lies, "" for that module itself.
        model: the model; where only a part of it is there, that part.
        inside: the path of such a part in its model, with a dot behind it; else "".
    """

    run: RunState
    path: str
    model: nn.Module
    inside: str = ""


def running(module: nn.Module) -> list[Running]:
    """The converted models in a module.

    Arguments:
        module: a converted model, a part of one, or a module around some of them.

    Raises:
        LasError: it is no module, or nothing of it spikes.
    """
    if not isinstance(module, nn.Module):
        raise LasError(f"a converted model is wanted, got {shown(module)}: use las.convert first")
    paths: dict[RunState, str] = {}
    inside: dict[RunState, str] = {}
    placed: set[RunState] = set()
    for path, part in module.named_modules():
        if isinstance(part, SpikingModule) and part.run not in placed:
            paths.setdefault(part.run, "")
            if part.name.endswith(f".{path}"):
                inside.setdefault(part.run, part.name.removesuffix(path))
            if part.name and f".{path}".endswith(f".{part.name}"):  # the path in its own model
                paths[part.run] = path.removesuffix(part.name).removesuffix(".")
                placed.add(part.run)
    if not paths:
        raise LasError(f"{type(module).__name__} has no spiking neurons: use las.convert first")
    return [
        Running(run, path, module.get_submodule(path), "" if run in placed else inside.get(run, ""))
        for run, path in paths.items()
    ]


@contextmanager
def observing(model: nn.Module, by: Observer) -> Iterator[None]:
    """Pass activations through unchanged inside the block and show them to `by`.

    Arguments:
        model: a prepared model.
        by: is told the inputs of every neuron site.

    Raises:
        LasError: nothing of the model spikes.
    """
    with ExitStack() as blocks:
        for one in running(model):
            blocks.enter_context(one.run.observed(by))
        yield
