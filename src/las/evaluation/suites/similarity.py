"""Encoders on human ratings of similarity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from las.data.lee import read_lee
from las.data.sts import read_stsb
from las.data.word_pairs import read_word_pairs
from las.evaluation.original import Original
from las.evaluation.score import Score
from las.evaluation.similarity import compare_encoders
from las.evaluation.suites.suite import Suite, check_at_least_one

_READERS = {
    "wordsim353": read_word_pairs,
    "simlex999": read_word_pairs,
    "lee": read_lee,
    "stsb": read_stsb,
}


@dataclass(frozen=True)
class Similarity(Suite):
    """Correlation of an encoder's cosines with human ratings, on at least one of four sets.

    Attributes:
        batch_size: texts per forward pass.
        max_length: tokens per text, at most.
        wordsim353, simlex999, stsb: files of the sets.
        lee: the directory of the two files of Lee's set.
    """

    batch_size: int
    max_length: int
    wordsim353: str | None = None
    simlex999: str | None = None
    lee: str | None = None
    stsb: str | None = None

    def __post_init__(self) -> None:
        check_at_least_one(batch_size=self.batch_size, max_length=self.max_length)
        if not any(getattr(self, name) for name in _READERS):
            raise ValueError(f"the suite Similarity names no data set: give {', '.join(_READERS)}")

    def _score(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel,
        reader: Tokenizer,
        data_root: Path,
    ) -> list[Score]:
        sets = {
            name: read(data_root / place)
            for name, read in _READERS.items()
            if (place := getattr(self, name))
        }
        return [
            score
            for name, pairs in sets.items()
            for score in compare_encoders(
                ann,
                snn,
                reader,
                pairs,
                task=name,
                batch_size=self.batch_size,
                max_length=self.max_length,
            )
        ]
