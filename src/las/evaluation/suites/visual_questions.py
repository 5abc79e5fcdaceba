"""Vision-language models on questions about pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, ProcessorMixin

from las.data.easy_vqa import read_questions
from las.evaluation.original import Original
from las.evaluation.score import Score
from las.evaluation.suites.suite import Suite, check_at_least_one, limited
from las.evaluation.visual_questions import compare_visual_questions


@dataclass(frozen=True)
class VisualQuestions(Suite):
    """Accuracy on easy-VQA's split "test".

    Attributes:
        directory: of easy-VQA.
        limit: questions, spread evenly over the split; None takes all.
        batch_size: questions per forward pass.
    """

    directory: str
    limit: int | None
    batch_size: int

    def __post_init__(self) -> None:
        check_at_least_one(limit=self.limit, batch_size=self.batch_size)

    def _score(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel,
        reader: ProcessorMixin,
        data_root: Path,
    ) -> list[Score]:
        directory = data_root / self.directory
        questions = read_questions(directory, "test")
        score = compare_visual_questions(
            ann,
            snn,
            reader,
            limited(questions, self.limit),
            read_questions(directory, "train"),
            task=directory.name,
            batch_size=self.batch_size,
            questions_available=len(questions),
        )
        return [score]
