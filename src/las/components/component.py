"""What all spiking components have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn

from las.components.one_operation import known_to_compilers, outside_graphs
from las.components.run_state import RunState
from las.neurons.encoding import NOTHING, Firing


class SpikingModule(nn.Module):
    """A spiking component, or a site of neurons within one.

    Attributes:
        name: its module path, set by the conversion.
        run: how it runs right now, and who counts: one state for all parts of a model. Alone, it
            has a state of its own, which it shares with the parts that it is given.
    """

    def __init__(self) -> None:
        super().__init__()
        self.name = ""
        self.run = RunState()
        known_to_compilers(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        known_to_compilers(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it; what is trained, counted, simulated or observed is no matter for compilers."""
        if torch.compiler.is_compiling() and self.stays_outside_graphs():
            return outside_graphs(super().__call__, *args, **kwargs)
        return super().__call__(*args, **kwargs)

    def stays_outside_graphs(self) -> bool:
        """Whether compilers leave it out of their graphs."""
        return self.run.watched or torch.is_grad_enabled()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(value, nn.Module):
            share_run(value, self.run)

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Add a part, which then runs as this component does."""
        super().add_module(name, module)
        if module is not None:
            share_run(module, self.run)


def share_run(module: nn.Module, run: RunState) -> None:
    """Give everything that spikes within a module one run state."""
    for part in module.modules():
        if isinstance(part, SpikingModule):
            part.run = run


@dataclass(frozen=True)
class Work:
    """What one call costs the operation of the ANN that a component stands for.

    Attributes:
        kind: "linear", "matmul", "hadamard", "softmax", "norm" or "activation".
        macs: multiply-accumulates.
        nonlinear: scalar evaluations of non-linear functions, e.g. {"gelu": 4096}.
        part: which of the operations of a component, if it stands for several of them.
        inputs: scalars that it reads, both operands of a product among them.
        outputs: scalars that it makes.
        weights: stored numbers that it multiplies with, biases left out.
    """

    kind: str
    macs: int = 0
    nonlinear: Mapping[str, int] = field(default_factory=dict)
    part: str = ""
    inputs: int = 0
    outputs: int = 0
    weights: int = 0


class SpikingComponent(SpikingModule):
    """The spike-equivalent of a module. Counting, planning and the audit know it by this class.

    A new one is a subclass that

    - names its `equations`;
    - holds its neurons as `OATSite` and `HGSite`, and layers that read spikes as the components
      that they are;
    - says its `work`, unless all of it is done by components within;
    - has two paths in `forward`: the step simulator where `self.run.simulating`, which reads the
      spike trains `site.steps(x)`, and else the fused path, which reads `site(x)`;
    - adds the spikes that it reads where somebody counts.

    For example, fixed weights on spikes, element by element:

        class SpikingScale(SpikingComponent):
            equations = "Eq. 10"

            def __init__(self, weight: nn.Parameter) -> None:
                super().__init__()
                self.weight = weight
                self.site = OATSite()

            def work(self, x: Sequence[int]) -> tuple[Work, ...]:
                return (Work("linear", prod(x), inputs=prod(x), outputs=prod(x), weights=x[-1]),)

            def forward(self, x: Tensor) -> Tensor:
                if self.run.simulating:
                    return accumulate(spikes * self.weight for spikes in self.site.steps(x))
                spiked = self.site(x)
                if self.run.counting:
                    self.count(self.work(x.shape), spiked.firing)
                return spiked.value * self.weight

    Where activations are observed, as in calibration, `site(x)` returns x itself, or the function
    of it, and no spikes. Nothing else is to be done for it.

    Attributes:
        equations: of the paper, e.g. "Eq. 10".
        reads: by the part of a component that does several products, the sites that it reads.
    """

    equations: ClassVar[str] = ""
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def work(self, *args: Any, **kwargs: Any) -> tuple[Work, ...]:
        """What a call costs the ANN, beside the work of components within.

        Arguments: those of each component tell what it depends on, shapes above all.
        """
        return ()

    def count(
        self, works: tuple[Work, ...], *sops: Firing | int, early: tuple[Firing, ...] = ()
    ) -> None:
        """Add one call to what is being counted.

        Arguments:
            works: what it costs the ANN.
            sops: synaptic operations for each of them: what neurons have fired, times how often
                it is read. A whole number stands for spikes of one level.
            early: that part of each which is due to the operand of a product that arrives first.
        """
        firsts = early or (NOTHING,) * len(works)
        for work, spent, first in zip(works, sops, firsts, strict=True):
            name = f"{self.name}.{work.part}" if work.part else self.name
            self.run.add_operations(
                *(name, self.name, work.kind, spent, work.macs, work.nonlinear, first),
                *(work.inputs, work.outputs, work.weights),
            )
