"""What every suite has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from transformers import PreTrainedModel

from las.data.windows import evenly_spaced
from las.evaluation.original import Original
from las.evaluation.processes import ALONE, Processes
from las.evaluation.score import Score

Item = TypeVar("Item")


@dataclass(frozen=True)
class Suite(ABC):
    """Items and metrics by which an original and its spiking version are compared.

    Paths among the fields are relative to the folder of the data sets, `data_root`.

    Raises:
        TypeError: a field is missing, or there is no such field.
        ValueError: a field is wrong.
    """

    alone: ClassVar[bool] = False
    """Whether it also scores an original that has no spiking version."""
    shared: ClassVar[bool] = False
    """Whether several processes share its items out."""

    def score(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel | None,
        reader: Any,
        data_root: Path,
        processes: Processes = ALONE,
    ) -> list[Score]:
        """Score both models on the same items.

        Arguments:
            ann: the original.
            snn: its spike-equivalent; None scores the original alone.
            reader: their tokenizer, or the processor of vision-language models.
            data_root: folder of the data sets.
            processes: which share the items out; each calls this and gets all scores.

        Raises:
            ValueError: the suite needs both models or one process, or the data do not suffice.
            FileNotFoundError, AssetError: a data set is missing; the message says what to do.
        """
        if snn is None and not self.alone:
            raise ValueError(
                f"the suite {type(self).__name__} compares two models; the original alone is scored"
                " by ZeroShot and Glue"
            )
        self.check_shared(processes)
        return self._share(ann, snn, reader, data_root, processes)

    @classmethod
    def check_shared(cls, processes: Processes) -> None:
        """Raise a ValueError if there are several processes, and they cannot share its items."""
        if processes.number > 1 and not cls.shared:
            raise ValueError(
                f"the suite {cls.__name__} runs in one process, not in {processes.number}: begin "
                "without `accelerate launch`, under which ZeroShot alone is shared out"
            )

    def _share(
        self,
        ann: PreTrainedModel | Original,
        snn: Any,
        reader: Any,
        data_root: Path,
        processes: Processes,
    ) -> list[Score]:
        """Score; several processes are given where the suite is `shared`."""
        return self._score(ann, snn, reader, data_root)

    @abstractmethod
    def _score(
        self, ann: PreTrainedModel | Original, snn: Any, reader: Any, data_root: Path
    ) -> list[Score]:
        """Do it; `snn` is None only in suites that score an original alone."""


def check_at_least_one(**fields: int | None) -> None:
    """Raise a ValueError that names the field if one is below 1; None stands for no limit."""
    for name, value in fields.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")


def check_choice(choices: Collection[str], **fields: str) -> None:
    """Raise a ValueError that names the field if one is none of the choices."""
    for name, value in fields.items():
        if value not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}, not {value!r}")


def limited(items: Sequence[Item], limit: int | None) -> Sequence[Item]:
    """As many items as `limit` says, spread evenly over them; all of them for None."""
    return items if limit is None else evenly_spaced(items, min(limit, len(items)))
