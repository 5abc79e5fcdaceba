"""One entry for all suites: a config's fields to scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from las.data.corpus import read_corpus
from las.data.easy_vqa import read_questions
from las.data.glue import read_glue
from las.data.lee import read_lee
from las.data.sts import read_stsb
from las.data.wikipedia import articles, raw_pages
from las.data.windows import Window, evenly_spaced, token_windows
from las.data.word_pairs import read_word_pairs
from las.evaluation.anytime import compare_after_each_step
from las.evaluation.glue import compare_classifiers
from las.evaluation.score import Score
from las.evaluation.similarity import compare_encoders
from las.evaluation.text import Metric, compare_language_models
from las.evaluation.visual_questions import compare_visual_questions
from las.evaluation.vlmeval.compare import compare_vision_language
from las.evaluation.vlmeval.easy_vqa import export_easy_vqa
from las.evaluation.zero_shot import compare_zero_shot

_ALONE = ("zero_shot", "glue")
"""The suites that also score the original alone."""


def evaluate(
    ann: PreTrainedModel,
    snn: PreTrainedModel | None,
    reader: PreTrainedTokenizerBase | ProcessorMixin,
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
    suite = _choice(suite_config, "suite", suites)
    if snn is None and suite not in _ALONE:
        raise ValueError(
            f"the suite {suite} compares two models; the original alone is scored by"
            f" {' and '.join(_ALONE)}"
        )
    score: Any = suites[suite]
    scores: list[Score] = score(ann, snn, reader, suite_config, data_root)
    return scores


def _zero_shot(
    ann: PreTrainedModel,
    snn: PreTrainedModel | None,
    tokenizer: PreTrainedTokenizerBase,
    config: Mapping[str, Any],
    data_root: Path,
) -> list[Score]:
    local = _choice(config, "source", {"local": None, "hub": None}) == "local"
    return compare_zero_shot(
        ann,
        snn,
        tokenizer,
        _field(config, "tasks"),
        directory=data_root / _field(config, "directory") if local else None,
        limit=_field(config, "limit"),
        batch_size=_field(config, "batch_size"),
    )


def _text(
    ann: PreTrainedModel,
    snn: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    config: Mapping[str, Any],
    data_root: Path,
) -> list[Score]:
    dump = data_root / _field(config, "dump")

    def score(texts: Iterator[str], task: str, metric: Metric) -> Score:
        windows, available = _windows(texts, tokenizer, config)
        return compare_language_models(
            ann, snn, windows, task=task, metric=metric, tokens_available=available
        )

    return [
        score(_prose(dump), "wikipedia", "perplexity"),
        score(raw_pages(dump, "held-out"), "wikipedia_xml", "bits_per_byte"),
    ]


def _corpus(
    ann: PreTrainedModel,
    snn: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    config: Mapping[str, Any],
    data_root: Path,
) -> list[Score]:
    text = read_corpus(data_root / _field(config, "place"), _field(config, "last_bytes"))
    windows, available = _windows(iter([text]), tokenizer, config)
    score = compare_language_models(
        ann,
        snn,
        windows,
        task=_field(config, "task"),
        metric=_field(config, "metric"),
        tokens_available=available,
    )
    return [score]


def _anytime(
    ann: PreTrainedModel,
    snn: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    config: Mapping[str, Any],
    data_root: Path,
) -> list[Score]:
    prose = _prose(data_root / _field(config, "dump"))
    windows, available = _windows(prose, tokenizer, config)
    return compare_after_each_step(ann, snn, windows, task="wikipedia", tokens_available=available)


def _prose(dump: Path) -> Iterator[str]:
    return (article.text for article in articles(dump, "held-out"))


def _windows(
    texts: Iterator[str], tokenizer: PreTrainedTokenizerBase, config: Mapping[str, Any]
) -> tuple[Sequence[Window], int]:
    """Windows spread evenly over some texts, and how many tokens there are to predict in all."""
    count, length = _field(config, "windows"), _field(config, "window_tokens")
    windows = list(token_windows(texts, tokenizer, length))
    chosen = windows if count is None else evenly_spaced(windows, count)
    return chosen, sum(window.predicted_tokens for window in windows)


def _similarity(
    ann: PreTrainedModel,
    snn: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    config: Mapping[str, Any],
    data_root: Path,
) -> list[Score]:
    readers = {
        "wordsim353": read_word_pairs,
        "simlex999": read_word_pairs,
        "lee": read_lee,
        "stsb": read_stsb,
    }
    sets = {
        name: read(data_root / config[name]) for name, read in readers.items() if config.get(name)
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
            batch_size=_field(config, "batch_size"),
            max_length=_field(config, "max_length"),
        )
    ]


def _glue(
    ann: PreTrainedModel,
    snn: PreTrainedModel | None,
    tokenizer: PreTrainedTokenizerBase,
    config: Mapping[str, Any],
    data_root: Path,
) -> list[Score]:
    limit = _field(config, "limit")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    scores = []
    for task in _field(config, "tasks"):
        directory = data_root / _field(config, "directory")
        items = read_glue(task, directory, _field(config, "part"))
        scores += compare_classifiers(
            ann,
            snn,
            tokenizer,
            items if limit is None else evenly_spaced(items, min(limit, len(items))),
            task=task,
            batch_size=_field(config, "batch_size"),
            max_length=_field(config, "max_length"),
            items_available=len(read_glue(task, directory)),
        )
    return scores


def _vqa(
    ann: PreTrainedModel,
    snn: PreTrainedModel,
    processor: ProcessorMixin,
    config: Mapping[str, Any],
    data_root: Path,
) -> list[Score]:
    directory, limit = data_root / _field(config, "directory"), _field(config, "limit")
    questions = read_questions(directory, "test")
    score = compare_visual_questions(
        ann,
        snn,
        processor,
        questions if limit is None else evenly_spaced(questions, min(limit, len(questions))),
        read_questions(directory, "train"),
        task=directory.name,
        batch_size=_field(config, "batch_size"),
        questions_available=len(questions),
    )
    return [score]


def _vlmeval(
    ann: PreTrainedModel,
    snn: PreTrainedModel,
    processor: ProcessorMixin,
    config: Mapping[str, Any],
    data_root: Path,
) -> list[Score]:
    folder = data_root / _field(config, "directory")
    if (easy_vqa := _field(config, "easy_vqa")) is not None:
        export_easy_vqa(data_root / easy_vqa, folder)
    return compare_vision_language(
        ann,
        snn,
        processor,
        _field(config, "sets"),
        folder=folder,
        prompt=_field(config, "prompt"),
        limit=_field(config, "limit"),
        max_new_tokens=_field(config, "max_new_tokens"),
    )


def _field(config: Mapping[str, Any], name: str) -> Any:
    if name not in config:
        raise ValueError(f"the evaluation's config lacks the field {name!r}")
    return config[name]


def _choice(config: Mapping[str, Any], name: str, choices: Mapping[str, object]) -> str:
    value: str = _field(config, name)
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}, not {value!r}")
    return value
