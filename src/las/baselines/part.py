"""What the runner over time tells its parts."""

from __future__ import annotations

from torch import Tensor

from las.components.component import SpikingModule


class Part(SpikingModule):
    """Something in a model that takes part in the run over time; a child of the module it serves.

    Attributes:
        token_dim: which dimension of the input counts tokens.
        t: the time step, 1 to T; 0 while no run is going on.
        first: whether this pass is the first one of the run, the warm-up included.
    """

    token_dim = 1

    def __init__(self) -> None:
        super().__init__()
        self.t = 0
        self.first = False

    def begin_step(self, t: int, first: bool) -> None:
        """Time step t comes."""
        self.t, self.first = t, first

    def restart(self) -> None:
        """The warm-up is over."""

    def count(self) -> None:
        """Add what has been fired since the run began to what is being counted."""

    def forget(self) -> None:
        """The run is over, or has failed."""
        self.t = 0

    def unpadded(self, x: Tensor) -> Tensor:
        """The vectors of x that are no padding, (n, channels).

        Arguments:
            x: of the layout of the input, (..., channels).
        """
        padding = None if self.run.masks is None else self.run.masks.padding_of(self, x)
        return x.reshape(-1, x.shape[-1]) if padding is None else x[~padding]

    @property
    def serves(self) -> str:
        """The path of the module that it is a child of."""
        return self.name.rpartition(".")[0]


def count_dense(part: Part, name: str, kind: str, macs: int, weights: int = 0) -> None:
    """Add one pass of an operation that reads no spikes to what is being counted.

    It costs as many multiply-accumulates at each time step as the original's does once.

    Arguments:
        part: that takes part in the run.
        name: of the operation.
        kind: "linear" or "matmul".
        macs: of this pass.
        weights: stored numbers that it multiplies with.
    """
    own = macs if part.first else 0
    part.run.add_operations(
        *(name, part.serves, kind, 0, own, {}), weights=weights, dense_macs=macs
    )
