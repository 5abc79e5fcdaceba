"""Language models on text."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from las.data.corpus import read_corpus
from las.data.wikipedia import articles, raw_pages
from las.data.windows import Window, evenly_spaced, token_windows
from las.evaluation.anytime import compare_after_each_step
from las.evaluation.original import Original
from las.evaluation.score import Score
from las.evaluation.suites.suite import Suite, check_at_least_one, check_choice
from las.evaluation.text import Metric, compare_language_models


@dataclass(frozen=True)
class _OfWikipedia(Suite):
    """Windows of a Wikipedia dump.

    Attributes:
        dump: the dump, of which the held-out pages are read.
        windows: how many for each metric, spread evenly over the pages.
        window_tokens: tokens per window.
    """

    dump: str
    windows: int
    window_tokens: int

    def __post_init__(self) -> None:
        check_at_least_one(windows=self.windows, window_tokens=self.window_tokens)


class Text(_OfWikipedia):
    """Perplexity on the prose of a Wikipedia dump, and bits per byte on its raw XML.

    Attributes: as of `_OfWikipedia`.
    """

    def _score(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel,
        reader: Tokenizer,
        data_root: Path,
    ) -> list[Score]:
        original, dump = Original.of(ann), data_root / self.dump
        how = reader, self.windows, self.window_tokens
        prose = _windows(original, ("prose", dump), lambda: _prose(dump), *how)
        xml = _windows(original, ("xml", dump), lambda: raw_pages(dump, "held-out"), *how)
        return [
            compare_language_models(original, snn, task="wikipedia", metric="perplexity", **prose),
            compare_language_models(
                original, snn, task="wikipedia_xml", metric="bits_per_byte", **xml
            ),
        ]


class Anytime(_OfWikipedia):
    """Perplexity on the prose of a Wikipedia dump after each of the T time steps.

    Attributes: as of `_OfWikipedia`.
    """

    def _score(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel,
        reader: Tokenizer,
        data_root: Path,
    ) -> list[Score]:
        original, dump = Original.of(ann), data_root / self.dump
        how = reader, self.windows, self.window_tokens
        prose = _windows(original, ("prose", dump), lambda: _prose(dump), *how)
        return compare_after_each_step(original, snn, task="wikipedia", **prose)


@dataclass(frozen=True)
class Corpus(Suite):
    """Perplexity or bits per byte on one long text.

    Attributes:
        task: the name to report.
        metric: "perplexity" or "bits_per_byte".
        place, last_bytes: the text, see `las.data.corpus.read_corpus`.
        windows: how many, spread evenly over the text; None takes all.
        window_tokens: tokens per window.
    """

    task: str
    metric: Metric
    place: str
    last_bytes: int | None
    windows: int | None
    window_tokens: int

    def __post_init__(self) -> None:
        check_choice(("perplexity", "bits_per_byte"), metric=self.metric)
        check_at_least_one(
            last_bytes=self.last_bytes, windows=self.windows, window_tokens=self.window_tokens
        )

    def _score(
        self,
        ann: PreTrainedModel | Original,
        snn: PreTrainedModel,
        reader: Tokenizer,
        data_root: Path,
    ) -> list[Score]:
        original, place = Original.of(ann), data_root / self.place
        windows = _windows(
            original,
            ("corpus", place, self.last_bytes),
            lambda: [read_corpus(place, self.last_bytes)],
            *(reader, self.windows, self.window_tokens),
        )
        return [
            compare_language_models(original, snn, task=self.task, metric=self.metric, **windows)
        ]


def _prose(dump: Path) -> Iterator[str]:
    return (article.text for article in articles(dump, "held-out"))


def _windows(
    original: Original,
    source: Hashable,
    read: Callable[[], Iterable[str]],
    tokenizer: Tokenizer,
    count: int | None,
    length: int,
) -> dict[str, Any]:
    """Windows spread evenly over some texts, and how many tokens there are to predict in all.

    They are read and cut once for all spiking versions of an original.

    Arguments:
        original: keeps them.
        source: which texts these are, completely.
        read: gives the texts.
        tokenizer, count, length: how they are cut; all windows are taken if count is None.
    """

    def cut() -> tuple[list[Window], int]:
        windows = list(token_windows(read(), tokenizer, length))
        taken = windows if count is None else evenly_spaced(windows, count)
        return taken, sum(window.predicted_tokens for window in windows)

    windows, available = original.once((source, tokenizer, count, length), cut)
    return {"windows": windows, "tokens_available": available}
