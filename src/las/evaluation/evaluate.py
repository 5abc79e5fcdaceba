"""One entry for all suites: a config's fields to scores."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from transformers import PreTrainedModel, ProcessorMixin
from transformers import PreTrainedTokenizerBase as Tokenizer

from las.data.corpus import read_corpus
from las.data.easy_vqa import read_questions
from las.data.glue import part_of, read_glue
from las.data.lee import read_lee
from las.data.sts import read_stsb
from las.data.wikipedia import articles, raw_pages
from las.data.windows import evenly_spaced, token_windows
from las.data.word_pairs import read_word_pairs
from las.evaluation.anytime import compare_after_each_step
from las.evaluation.glue import compare_classifiers
from las.evaluation.score import Score
from las.evaluation.similarity import compare_encoders
from las.evaluation.text import compare_language_models
from las.evaluation.visual_questions import compare_visual_questions
from las.evaluation.vlmeval.compare import compare_vision_language
from las.evaluation.vlmeval.easy_vqa import export_easy_vqa
from las.evaluation.zero_shot import compare_zero_shot

Item = TypeVar("Item")

_ALONE = ("zero_shot", "glue")
"""The suites that also score the original alone."""


def evaluate(
    ann: PreTrainedModel,
    snn: PreTrainedModel | None,
    reader: Tokenizer | ProcessorMixin,
    suite_config: Mapping[str, Any],
    data_root: Path,
) -> list[Score]:
    """Score both models on one suite; paths in the config are relative to `data_root`.

    `reader` is the models' tokenizer, for the suites "vqa" and "vlmeval" their processor. With
    `snn` None the original is scored alone, by the suites "zero_shot" and "glue".

    The fields of `suite_config`, by its `suite`:

    - "zero_shot": `tasks` (list); `source`, "local" or "hub"; `directory` (of the local data
      sets); `limit` (items per task, None for all); `batch_size`.
    - "text": `dump` (a Wikipedia dump, of which the held-out pages are read); `windows` (how
      many, spread evenly over them); `window_tokens`. Gives perplexity on the prose and bits per
      byte on the raw XML.
    - "corpus": `task` (the name to report); `metric`, "perplexity" or "bits_per_byte"; `place` and
      `last_bytes`, see `read_corpus`; `windows` (None for all), `window_tokens`.
    - "anytime": `dump`, `windows`, `window_tokens` as for "text". Gives the perplexity on the prose
      after each of the T time steps.
    - "similarity": any of `wordsim353`, `simlex999`, `stsb` (files) and `lee` (the directory of
      its two files); `batch_size`; `max_length`.
    - "glue": `tasks` (list, for which the models were fine-tuned); `directory` (with a folder for
      each task); `part`, "all" of the validation split or its "train" or "held-out" part; `limit`
      (items per task, spread evenly over it, None for all); `batch_size`; `max_length`.
    - "vqa": `directory` (of easy-VQA, of which the split "test" is read); `limit` (questions,
      spread evenly over them, None for all); `batch_size`.
    - "vlmeval": `sets` (names of image sets); `directory` (of their TSV files, which are downloaded
      there if missing); `easy_vqa` (the directory of easy-VQA, exported there first; None for no
      export); `prompt`, "instructed" or "question"; `limit`; `max_new_tokens`.

    Raises:
        ValueError: an unknown suite, a field is missing or wrong, or the suite needs both models.
        FileNotFoundError, AssetError: a data set is missing; the message says what to do.
    """
    suites = {
        "zero_shot": _zero_shot,
        "text": _text,
        "corpus": _corpus,
        "anytime": _anytime,
        "similarity": _similarity,
        "glue": _glue,
        "vqa": _vqa,
        "vlmeval": _vlmeval,
    }
    config = _Config(suite_config, data_root)
    suite = config.choice("suite", suites)
    if snn is None and suite not in _ALONE:
        raise ValueError(
            f"the suite {suite} compares two models; the original alone is scored by"
            f" {' and '.join(_ALONE)}"
        )
    score: Any = suites[suite]
    scores: list[Score] = score(ann, snn, reader, config)
    return scores


@dataclass(frozen=True)
class _Config:
    """The fields of a suite; what is missing or wrong is a ValueError that names it."""

    fields: Mapping[str, Any]
    data_root: Path

    def __getitem__(self, name: str) -> Any:
        if name not in self.fields:
            raise ValueError(f"the evaluation's config lacks the field {name!r}")
        return self.fields[name]

    def path(self, name: str) -> Path:
        """A field that is a path below the data sets."""
        return self.data_root / self[name]

    def choice(self, name: str, choices: Collection[str]) -> str:
        """A field that is one of some names."""
        value: str = self[name]
        if value not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}, not {value!r}")
        return value

    def limited(self, items: Sequence[Item]) -> Sequence[Item]:
        """As many items as `limit` says, spread evenly over them; all of them for None."""
        limit = self["limit"]
        if limit is None:
            return items
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        return evenly_spaced(items, min(limit, len(items)))


def _zero_shot(
    ann: PreTrainedModel, snn: PreTrainedModel | None, tokenizer: Tokenizer, config: _Config
) -> list[Score]:
    local = config.choice("source", ("local", "hub")) == "local"
    return compare_zero_shot(
        ann,
        snn,
        tokenizer,
        config["tasks"],
        directory=config.path("directory") if local else None,
        limit=config["limit"],
        batch_size=config["batch_size"],
    )


def _text(
    ann: PreTrainedModel, snn: PreTrainedModel, tokenizer: Tokenizer, config: _Config
) -> list[Score]:
    dump = config.path("dump")
    prose = _windows(_prose(dump), tokenizer, config)
    xml = _windows(raw_pages(dump, "held-out"), tokenizer, config)
    return [
        compare_language_models(ann, snn, task="wikipedia", metric="perplexity", **prose),
        compare_language_models(ann, snn, task="wikipedia_xml", metric="bits_per_byte", **xml),
    ]


def _corpus(
    ann: PreTrainedModel, snn: PreTrainedModel, tokenizer: Tokenizer, config: _Config
) -> list[Score]:
    text = read_corpus(config.path("place"), config["last_bytes"])
    windows = _windows([text], tokenizer, config)
    return [
        compare_language_models(ann, snn, task=config["task"], metric=config["metric"], **windows)
    ]


def _anytime(
    ann: PreTrainedModel, snn: PreTrainedModel, tokenizer: Tokenizer, config: _Config
) -> list[Score]:
    windows = _windows(_prose(config.path("dump")), tokenizer, config)
    return compare_after_each_step(ann, snn, task="wikipedia", **windows)


def _prose(dump: Path) -> Iterator[str]:
    return (article.text for article in articles(dump, "held-out"))


def _windows(texts: Iterable[str], tokenizer: Tokenizer, config: _Config) -> dict[str, Any]:
    """Windows spread evenly over some texts, and how many tokens there are to predict in all."""
    count, length = config["windows"], config["window_tokens"]
    windows = list(token_windows(texts, tokenizer, length))
    return {
        "windows": windows if count is None else evenly_spaced(windows, count),
        "tokens_available": sum(window.predicted_tokens for window in windows),
    }


def _similarity(
    ann: PreTrainedModel, snn: PreTrainedModel, tokenizer: Tokenizer, config: _Config
) -> list[Score]:
    readers = {
        "wordsim353": read_word_pairs,
        "simlex999": read_word_pairs,
        "lee": read_lee,
        "stsb": read_stsb,
    }
    sets = {
        name: read(config.path(name)) for name, read in readers.items() if config.fields.get(name)
    }
    if not sets:
        raise ValueError(f"the suite similarity names no data set: give {', '.join(readers)}")
    return [
        score
        for name, pairs in sets.items()
        for score in compare_encoders(
            ann,
            snn,
            tokenizer,
            pairs,
            task=name,
            batch_size=config["batch_size"],
            max_length=config["max_length"],
        )
    ]


def _glue(
    ann: PreTrainedModel, snn: PreTrainedModel | None, tokenizer: Tokenizer, config: _Config
) -> list[Score]:
    scores = []
    for task in config["tasks"]:
        split = read_glue(task, config.path("directory"))
        scores += compare_classifiers(
            ann,
            snn,
            tokenizer,
            config.limited(part_of(split, config["part"])),
            task=task,
            batch_size=config["batch_size"],
            max_length=config["max_length"],
            items_available=len(split),
        )
    return scores


def _vqa(
    ann: PreTrainedModel, snn: PreTrainedModel, processor: ProcessorMixin, config: _Config
) -> list[Score]:
    directory = config.path("directory")
    questions = read_questions(directory, "test")
    score = compare_visual_questions(
        ann,
        snn,
        processor,
        config.limited(questions),
        read_questions(directory, "train"),
        task=directory.name,
        batch_size=config["batch_size"],
        questions_available=len(questions),
    )
    return [score]


def _vlmeval(
    ann: PreTrainedModel, snn: PreTrainedModel, processor: ProcessorMixin, config: _Config
) -> list[Score]:
    folder = config.path("directory")
    if config["easy_vqa"] is not None:
        export_easy_vqa(config.path("easy_vqa"), folder)
    return compare_vision_language(
        ann,
        snn,
        processor,
        config["sets"],
        folder=folder,
        prompt=config["prompt"],
        limit=config["limit"],
        max_new_tokens=config["max_new_tokens"],
    )
