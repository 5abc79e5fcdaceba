"""Processes that share the items of an evaluation out, as `accelerate launch` starts them."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from las.neurons.tally import SpikeTally

Item = TypeVar("Item")
Part = TypeVar("Part")

_PATIENCE = timedelta(weeks=52)
"""How long a process waits for the others: the first one may be fetching or converting a model."""


class ProcessError(RuntimeError):
    """A process failed at work that is shared out, and all of them know."""


@dataclass(frozen=True)
class Processes:
    """Processes with the same models and items, each of which does a part of the work.

    Attributes:
        rank: which of them this one is, from 0.
        number: how many there are.
    """

    rank: int = 0
    number: int = 1

    @classmethod
    def launched(cls) -> Processes:
        """Those that `accelerate launch` or `torchrun` has started; otherwise this one alone.

        Their answers and counts go through the memory of processors (gloo), wherever models are.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "RANK" not in os.environ:
            return ALONE
        from torch import distributed

        if not distributed.is_initialized():
            distributed.init_process_group("gloo", timeout=_PATIENCE)
        return cls(distributed.get_rank(), distributed.get_world_size())

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items of this process: every `number`-th one."""
        return items[self.rank :: self.number]

    def together(self, work: Callable[[], Part]) -> list[Part]:
        """Do the work of this process; return what all of them have done, by rank.

        Every process has to call it.

        Raises:
            ProcessError: it failed in one of them; the message gives the rank and the error. A
                process alone raises the error itself.
        """
        if self.number == 1:
            return [work()]
        from torch import distributed

        part, failure = None, None
        try:
            part = work()
        except Exception as error:
            failure = error
        said = None if failure is None else f"{type(failure).__name__}: {failure}"
        done: list[Any] = [None] * self.number
        distributed.all_gather_object(done, (part, said), group=_group())
        failed = [
            f"process {rank} of {self.number} failed: {said}"
            for rank, (_, said) in enumerate(done)
            if said is not None
        ]
        if failed:
            raise ProcessError("\n".join(failed)) from failure
        return [part for part, _ in done]

    def first(self, work: Callable[[], Part]) -> Part:
        """Have the first process do the work while the others wait; all get what it returns.

        Raises as `together` does.
        """
        return self.together(lambda: work() if self.rank == 0 else None)[0]  # type: ignore[return-value]

    def total(self, tally: SpikeTally) -> SpikeTally:
        """The counts of all processes added up, as one process would have counted."""
        if self.number == 1:
            return tally
        from las.neurons.tally import SpikeTally

        whole = SpikeTally()
        for part in self.together(tally.to_dict):
            whole.merge(SpikeTally.from_dict(part))
        return whole

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """End this process if it fails by itself: the others, who wait for it, end with it.

        Raises:
            SystemExit: an error of which the others do not know, unless this process is alone.
        """
        try:
            yield
        except ProcessError:
            raise
        except Exception as error:
            if self.number == 1:
                raise
            traceback.print_exc()
            raise SystemExit(
                f"process {self.rank} of {self.number} failed, which ends all of them: "
                f"{type(error).__name__}: {error}"
            ) from error


ALONE = Processes()
"""This process alone."""


@cache
def _group() -> Any:
    """All processes; through another backend where the user has begun with one for GPUs."""
    from torch import distributed

    if distributed.get_backend() == "gloo":
        return distributed.group.WORLD
    return distributed.new_group(backend="gloo", timeout=_PATIENCE)
