"""Language models on multiple choice without examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from las.evaluation.original import Original
from las.evaluation.processes import ALONE, Processes
from las.evaluation.score import Score
from las.evaluation.suites.suite import Suite, check_at_least_one, check_choice
from las.evaluation.zero_shot import compare_zero_shot


@dataclass(frozen=True)
class ZeroShot(Suite):
    """Accuracy on lm-eval's tasks of Table 1.

    Attributes:
        tasks: names out of `las.evaluation.tasks.TASKS`.
        source: "local" reads `directory`, "hub" has lm-eval ask the hub.
        directory: of the local data sets.
        limit: the first so many items of each task; None takes all.
        batch_size: sequences per forward pass.
    """

    alone: ClassVar[bool] = True
    shared: ClassVar[bool] = True

    tasks: tuple[str, ...]
    source: Literal["local", "hub"]
    directory: str
    limit: int | None
    batch_size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))
        check_choice(("local", "hub"), source=self.source)
        check_at_least_one(limit=self.limit, batch_size=self.batch_size)

    def _score(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel | None,
        reader: Tokenizer,
        data_root: Path,
    ) -> list[Score]:
        return self._share(ann, snn, reader, data_root, ALONE)

    def _share(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel | None,
        reader: Tokenizer,
        data_root: Path,
        processes: Processes,
    ) -> list[Score]:
        return compare_zero_shot(
            ann,
            snn,
            reader,
            self.tasks,
            directory=data_root / self.directory if self.source == "local" else None,
            limit=self.limit,
            batch_size=self.batch_size,
            processes=processes,
        )
