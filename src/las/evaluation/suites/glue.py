"""Fine-tuned classifiers on GLUE."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from las.data.glue import LabelledText, Part, part_of, read_glue
from las.evaluation.glue import compare_classifiers
from las.evaluation.original import Original
from las.evaluation.score import Score
from las.evaluation.suites.suite import Suite, check_at_least_one, limited
from las.splits import read_split


@dataclass(frozen=True)
class Glue(Suite):
    """The metrics of Table 3 on GLUE's validation splits.

    Attributes:
        tasks: those for which the model was fine-tuned.
        directory: with a folder for each task.
        part: "all" of the validation split, or its "train" or "held-out" part.
        limit: items per task, spread evenly over it; None takes all.
        batch_size: items per forward pass.
        max_length: tokens per item, at most.
    """

    alone: ClassVar[bool] = True

    tasks: tuple[str, ...]
    directory: str
    part: Part
    limit: int | None
    batch_size: int
    max_length: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))
        check_at_least_one(limit=self.limit, batch_size=self.batch_size, max_length=self.max_length)

    def _score(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel | None,
        reader: Tokenizer,
        data_root: Path,
    ) -> list[Score]:
        scores = []
        for task in self.tasks:
            split = self._validation_split(task, data_root / self.directory)
            scores += compare_classifiers(
                ann,
                snn,
                reader,
                limited(part_of(split, self.part), self.limit),
                task=task,
                batch_size=self.batch_size,
                max_length=self.max_length,
                items_available=len(split),
            )
        return scores

    def _validation_split(self, task: str, directory: Path) -> list[LabelledText]:
        return read_glue(task, directory)


@dataclass(frozen=True)
class FullGlue(Glue):
    """The same, where the directory is laid out as `las.splits.read_split` reads it."""

    def _validation_split(self, task: str, directory: Path) -> list[LabelledText]:
        return read_split(task, directory, "validation")
