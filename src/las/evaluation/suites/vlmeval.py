"""Vision-language models on VLMEvalKit's image sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers import PreTrainedModel, ProcessorMixin

from las.evaluation.original import Original
from las.evaluation.score import Score
from las.evaluation.suites.suite import Suite, check_at_least_one, check_choice
from las.evaluation.vlmeval.compare import compare_vision_language
from las.evaluation.vlmeval.easy_vqa import export_easy_vqa


@dataclass(frozen=True)
class VLMEval(Suite):
    """The metrics of Table 4, judged by VLMEvalKit.

    Attributes:
        sets: names of image sets.
        directory: of their TSV files, which are downloaded there if missing.
        easy_vqa: the directory of easy-VQA, exported to `directory` first; None for no export.
        prompt: "instructed" or "question", see `compare_vision_language`.
        limit: about so many items of each set; None takes all.
        max_new_tokens: the longest answer.
    """

    sets: tuple[str, ...]
    directory: str
    easy_vqa: str | None
    prompt: Literal["instructed", "question"]
    limit: int | None
    max_new_tokens: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "sets", tuple(self.sets))
        check_choice(("instructed", "question"), prompt=self.prompt)
        check_at_least_one(limit=self.limit, max_new_tokens=self.max_new_tokens)

    def _score(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel,
        reader: ProcessorMixin,
        data_root: Path,
    ) -> list[Score]:
        folder = data_root / self.directory
        if self.easy_vqa is not None:
            export_easy_vqa(data_root / self.easy_vqa, folder)
        return compare_vision_language(
            Original.of(ann).model,
            snn,
            reader,
            self.sets,
            folder=folder,
            prompt=self.prompt,
            limit=self.limit,
            max_new_tokens=self.max_new_tokens,
        )
