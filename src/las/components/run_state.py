"""How the components of one model run right now: fused or step by step, observed, counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from torch import Tensor

from las.components.call import Call
from las.components.padding import TokenMasks
from las.neurons.encoding import NOTHING, Firing
from las.neurons.tally import SpikeTally

Value = TypeVar("Value")


class Observer(Protocol):
    """What looks on while neurons pass their inputs through unchanged."""

    def observe(self, site: Any, x: Tensor, importance: Callable[[], Tensor] | None) -> Tensor:
        """Take note of the inputs of a neuron site.

        Arguments:
            site: the neuron site.
            x: its input, any shape.
            importance: computes how much a squared error of each channel costs the layer that
                reads the spikes, (channels,); None where no layer with weights does.
        """


class Recorder(Protocol):
    """What is told the spikes of neurons while they are simulated."""

    def told(
        self, site: Any, x: Tensor, train: Iterator[Tensor], silent: Tensor | None
    ) -> Iterator[Tensor]:
        """Take note of a spike train, and pass it on unchanged.

        Arguments:
            site: the neuron site.
            x: its input, any shape.
            train: its weighted spikes, one tensor like x for each time step.
            silent: entries of x that a mask hides, broadcastable to x; None for none.
        """


class _Block(Generic[Value]):
    """One open block; two of them are never equal."""

    def __init__(self, value: Value) -> None:
        self.value = value


class _Blocks(Generic[Value]):
    """The open blocks of one kind, in the order in which they were opened.

    Any thread may open and close blocks: each one removes itself, not the last one.
    """

    def __init__(self) -> None:
        self.open: tuple[_Block[Value], ...] = ()
        self._changing = threading.Lock()

    @contextmanager
    def entered(self, value: Value) -> Iterator[None]:
        """Hold `value` inside the block."""
        block = _Block(value)
        with self._changing:
            self.open = (*self.open, block)
        try:
            yield
        finally:
            with self._changing:
                self.open = tuple(other for other in self.open if other is not block)

    def innermost(self) -> Value | None:
        """The value of the block that was opened last, or None if none is open."""
        opened = self.open
        return opened[-1].value if opened else None


@dataclass(frozen=True)
class _Pass:
    """Which tokens are padding in a call of a module, and by whom it was noticed; or in a block."""

    masks: TokenMasks
    by: Any = None
    call: Call | None = None

    def runs(self) -> bool:
        """Whether it has not ended; blocks end by themselves."""
        return self.call is None or self.call.runs()


class RunState:
    """The state of one model, which all of its components and neuron sites hold.

    Blocks such as `simulate` hold for this model alone, and for every thread that runs it. What is
    entered while another thread is in the middle of a pass takes hold at the next component there.

    A copy of a model, deep or pickled, has a state of its own in which no block is open.
    """

    def __init__(self) -> None:
        self._simulations = _Blocks[None]()
        self._stops = _Blocks[int]()
        self._observers = _Blocks[Observer]()
        self._recorders = _Blocks[Recorder]()
        self._tallies = _Blocks[tuple[SpikeTally, str]]()
        self._thread = threading.local()

    def __reduce__(self) -> tuple[type[RunState], tuple[()]]:
        return RunState, ()

    @property
    def simulating(self) -> bool:
        """Whether components run the step simulator instead of the fused path."""
        return bool(self._simulations.open)

    @property
    def stop(self) -> int | None:
        """After which of its time steps every neuron falls silent; None where none does."""
        return self._stops.innermost()

    @property
    def observer(self) -> Observer | None:
        """The observer in charge, or None where neurons spike."""
        return self._observers.innermost()

    @property
    def recorders(self) -> Sequence[Recorder]:
        """Those who are told the spike trains of the step simulator."""
        return [block.value for block in self._recorders.open]

    @property
    def counting(self) -> bool:
        """Whether a tally is open."""
        return bool(self._tallies.open)

    @property
    def watched(self) -> bool:
        """Whether somebody counts, simulates or observes."""
        return self.counting or self.simulating or self.observer is not None

    def fills(self, tally: SpikeTally) -> bool:
        """Whether a tally is one of those that are open."""
        return any(block.value[0] is tally for block in self._tallies.open)

    @contextmanager
    def simulate(self) -> Iterator[None]:
        """Run every component step by step over T inside the block."""
        with self._simulations.entered(None):
            yield

    @contextmanager
    def stop_after(self, steps: int) -> Iterator[None]:
        """Let every neuron fire in the first `steps` of its T time steps only inside the block."""
        with self._stops.entered(steps):
            yield

    @contextmanager
    def observed(self, by: Observer) -> Iterator[None]:
        """Pass activations through unchanged inside the block and show them to `by`."""
        with self._observers.entered(by):
            yield

    @contextmanager
    def recorded(self, by: Recorder) -> Iterator[None]:
        """Show the spike trains of the step simulator to `by` inside the block."""
        with self._recorders.entered(by):
            yield

    @contextmanager
    def counted(self, tally: SpikeTally, prefix: str = "") -> Iterator[None]:
        """Add everything that spikes inside the block to a tally, and to those of outer blocks.

        Arguments:
            tally: what is filled.
            prefix: stands before the names of sites and components.
        """
        try:
            with self._tallies.entered((tally, prefix)):
                yield
        finally:
            tally.settle()

    @property
    def masks(self) -> TokenMasks | None:
        """Which tokens of the pass of this thread are padding; None where nobody has said it."""
        passes = getattr(self._thread, "passes", ())
        while passes and not passes[-1].runs():  # an interrupt ended it
            passes = passes[:-1]
            self._thread.passes = passes
        return passes[-1].masks if passes else None

    def begin_pass(self, by: Any, call: Call, masks: TokenMasks) -> None:
        """Hold masks in this thread while a call runs, until `by` says that it has ended."""
        passes = getattr(self._thread, "passes", ())
        self._thread.passes = (*passes, _Pass(masks, by, call))

    def end_pass(self, by: Any) -> None:
        """Forget the masks of a pass; nothing happens where `by` has not begun one."""
        passes = list(getattr(self._thread, "passes", ()))
        for number in reversed(range(len(passes))):
            if passes[number].by is by:
                del passes[number]
                break
        self._thread.passes = tuple(passes)

    @contextmanager
    def within(self, masks: TokenMasks) -> Iterator[None]:
        """Hold masks in this thread inside the block, for what reads tokens in another order."""
        passes = getattr(self._thread, "passes", ())
        self._thread.passes = (*passes, _Pass(masks))
        try:
            yield
        finally:
            self._thread.passes = passes

    def add_spikes(
        self,
        site: str,
        kind: str,
        time_steps: int,
        activations: int,
        spikes: Firing | int,
        out_of_range: int,
        levels: int = 1,
        bands: int = 2,
    ) -> None:
        """Add one call of a neuron site to every open tally."""
        counted = kind, time_steps, activations, spikes, out_of_range, levels, bands
        for block in self._tallies.open:
            tally, prefix = block.value
            tally.add_spikes(prefix + site, *counted)

    def add_operations(
        self,
        name: str,
        layer: str,
        kind: str,
        sops: Firing | int,
        macs: int,
        nonlinear: Mapping[str, int],
        early: Firing = NOTHING,
        inputs: int = 0,
        outputs: int = 0,
        weights: int = 0,
        dense_macs: int = 0,
    ) -> None:
        """Add one call of a component to every open tally."""
        for block in self._tallies.open:
            tally, prefix = block.value
            tally.add_operations(
                *(prefix + name, prefix + layer, kind, sops, macs, nonlinear, early),
                *(inputs, outputs, weights, dense_macs),
            )

    def hand_over(self, to: Any, what: Any) -> None:
        """Keep something for a module until it is taken, in this thread only."""
        self._handed[to] = what

    def take(self, module: Any) -> Any:
        """What was handed over to a module in this thread, or None; it is handed over no more."""
        return self._handed.pop(module, None)

    def hand_in(self, operands: Any) -> None:
        """Keep keys and values that have entered a cache, for the attention that comes next.

        In this thread only, and where compilers can follow them, who know no weak references.
        """
        self._thread.entered = operands

    def take_in(self) -> Any:
        """What was handed in last in this thread, or None; it is there no more."""
        entered = getattr(self._thread, "entered", None)
        self._thread.entered = None
        return entered

    @property
    def _handed(self) -> WeakKeyDictionary[Any, Any]:
        handed: WeakKeyDictionary[Any, Any] | None = getattr(self._thread, "handed", None)
        if handed is None:
            handed = self._thread.handed = WeakKeyDictionary()
        return handed
