from __future__ import annotations

import bz2
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from transformers import PreTrainedTokenizerFast

from las.data.wikipedia import split_of
from las.evaluation.original import Original
from las.evaluation.score import Score
from las.evaluation.suites.glue import Glue
from las.evaluation.suites.similarity import Similarity
from las.evaluation.suites.suite import Suite
from las.evaluation.suites.text import Anytime, Corpus, Text
from las.evaluation.suites.zero_shot import ZeroShot
from tests.evaluation.conftest import spiking_llama
from tests.tiny_models.plain import tiny_bert, tiny_llama

TEXT = Text(dump="wiki/p.bz2", windows=3, window_tokens=32)
CORPUS = Corpus(
    task="enwik8",
    metric="bits_per_byte",
    place="text",
    last_bytes=400,
    windows=None,
    window_tokens=32,
)


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    (tmp_path / "wiki").mkdir()
    pages = "".join(
        f"  <page>\n    <title>T{i}</title>\n    <ns>0</ns>\n"
        f"    <text>Page {i} is '''{split_of(f'T{i}')}'''.</text>\n  </page>\n"
        for i in range(60)
    )
    dump = f"<mediawiki>\n{pages}</mediawiki>\n"
    (tmp_path / "wiki" / "p.bz2").write_bytes(bz2.compress(dump.encode()))
    rows = ["old\tnew\t1.5", "car\tbus\t7", "sun\tmoon\t5", "cup\tmug\t9", "cup\tsky\t0"]
    (tmp_path / "words.tsv").write_text("# words\n" + "\n".join(rows) + "\n")
    return tmp_path


def test_the_text_suite_scores_prose_and_xml(
    tokenizer: PreTrainedTokenizerFast, data_root: Path
) -> None:
    ann, snn = tiny_llama(tokenizer), tiny_llama(tokenizer, seed=1)
    prose, xml = TEXT.score(ann, snn, tokenizer, data_root)
    assert (prose.metric, xml.metric) == ("perplexity", "bits_per_byte")
    assert prose.items == xml.items == 3 * 31
    assert prose.items < prose.items_available < xml.items_available


def test_the_corpus_suite_scores_one_text(
    tokenizer: PreTrainedTokenizerFast, data_root: Path
) -> None:
    (data_root / "text").write_text("The end of a text is read, and its words count. " * 40)
    ann, snn = tiny_llama(tokenizer), tiny_llama(tokenizer, seed=1)
    (score,) = CORPUS.score(ann, snn, tokenizer, data_root)
    assert (score.task, score.metric) == ("enwik8", "bits_per_byte")
    assert score.items == score.items_available
    (whole,) = replace(CORPUS, last_bytes=None).score(ann, snn, tokenizer, data_root)
    assert whole.items > score.items
    (some,) = replace(CORPUS, windows=2).score(ann, snn, tokenizer, data_root)
    assert (some.items, some.items_available) == (2 * 31, score.items)


def test_the_anytime_suite_scores_prose_after_each_step(
    tokenizer: PreTrainedTokenizerFast, data_root: Path
) -> None:
    snn = spiking_llama(tokenizer, time_steps=4)
    scores = Anytime(**asdict(TEXT)).score(tiny_llama(tokenizer), snn, tokenizer, data_root)
    assert [score.metric for score in scores] == [f"perplexity_after_{t}" for t in (1, 2, 3, 4)]
    assert all(3 * 31 == score.items < score.items_available for score in scores)


def test_the_similarity_suite_scores_each_set_twice(
    tokenizer: PreTrainedTokenizerFast, data_root: Path
) -> None:
    suite = Similarity(wordsim353="words.tsv", batch_size=4, max_length=16)
    model = tiny_bert(tokenizer)
    scores = suite.score(model, model, tokenizer, data_root)
    assert [(s.task, s.metric, s.items) for s in scores] == [
        ("wordsim353", "spearman", 5),
        ("wordsim353", "pearson", 5),
    ]


class Counted:
    """How often a model runs."""

    def __init__(self, model: Any) -> None:
        self.calls = 0
        model.register_forward_pre_hook(self._count)

    def _count(self, *_: object) -> None:
        self.calls += 1


def figures(scores: list[Score]) -> list[dict[str, Any]]:
    """All that is not a time of the spiking model."""
    found = [score.to_dict() for score in scores]
    for score in found:
        score["extra"].pop("seconds_snn", None)
    return found


@pytest.mark.parametrize("suite", [TEXT, Anytime(**asdict(TEXT)), CORPUS])
def test_an_original_is_asked_once_for_all_its_spiking_versions(
    tokenizer: PreTrainedTokenizerFast, data_root: Path, suite: Text | Anytime | Corpus
) -> None:
    (data_root / "text").write_text(" ".join(f"This is sentence {i}." for i in range(60)))
    ann = tiny_llama(tokenizer)
    snns = [spiking_llama(tokenizer, time_steps=t) for t in (3, 4)]
    counted, original = Counted(ann), Original(ann)
    first = [suite.score(original, snns[0], tokenizer, data_root)]
    once = counted.calls
    place = data_root / (suite.place if isinstance(suite, Corpus) else suite.dump)
    place.rename(place.with_suffix(".away"))  # the text, too, is read and cut once
    first.append(suite.score(original, snns[1], tokenizer, data_root))
    place.with_suffix(".away").rename(place)
    assert counted.calls == once
    alone = [suite.score(ann, snn, tokenizer, data_root) for snn in snns]
    assert counted.calls == 3 * once > 0
    for kept, asked in zip(first, alone, strict=True):
        for one, other in zip(figures(kept), figures(asked), strict=True):
            one["extra"].pop("seconds_ann")
            other["extra"].pop("seconds_ann")
            assert one == other
    assert [s.extra["seconds_ann"] for s in first[0]] != [0.0] * len(first[0])
    assert first[0][-1].extra["seconds_ann"] == first[1][-1].extra["seconds_ann"]


def test_an_encoder_is_asked_once_and_a_full_memory_asks_again(
    tokenizer: PreTrainedTokenizerFast, data_root: Path
) -> None:
    suite = Similarity(wordsim353="words.tsv", batch_size=4, max_length=16)
    ann, snn = tiny_bert(tokenizer), tiny_bert(tokenizer, seed=1)
    counted = Counted(ann)
    plain = suite.score(ann, snn, tokenizer, data_root)
    batches = counted.calls
    for room, calls in ((2**20, batches), (0, 2 * batches)):
        original, counted.calls = Original(ann, kept_bytes=room), 0
        for _ in range(2):
            scores = suite.score(original, snn, tokenizer, data_root)
            assert [(s.ann, s.snn, s.agreement) for s in scores] == [
                (s.ann, s.snn, s.agreement) for s in plain
            ]
            assert all(
                s.extra["hidden_relative_error"] == p.extra["hidden_relative_error"]
                for s, p in zip(scores, plain, strict=True)
            )
        assert counted.calls == calls


def test_a_suite_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        TEXT.windows = 4  # type: ignore[misc]
    assert hash(ZeroShot(["piqa"], "hub", ".", None, 8)) == hash(
        ZeroShot(("piqa",), "hub", ".", None, 8)
    )


SUITES = "las.evaluation.suites"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"_target_": f"{SUITES}.text.Poetry"}, "Poetry"),
        ({"_target_": f"{SUITES}.text.Text", "dump": "p", "windows": 1}, "'window_tokens'"),
        ({"_target_": f"{SUITES}.text.Text", **asdict(TEXT), "pages": 1}, "'pages'"),
        ({"_target_": f"{SUITES}.text.Text", **asdict(TEXT), "windows": 0}, "windows must be at"),
        (
            {"_target_": f"{SUITES}.text.Corpus", **asdict(CORPUS), "metric": "bits"},
            "metric is one of perplexity, bits_per_byte, not 'bits'",
        ),
        (
            {"_target_": f"{SUITES}.similarity.Similarity", "batch_size": 1, "max_length": 9},
            "names no data set",
        ),
    ],
)
def test_a_bad_config_says_what_is_wrong(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InstantiationException, match=message):
        instantiate(fields)


def test_bad_fields_are_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="source is one of local, hub, not 'disk'"):
        ZeroShot(["piqa"], source="disk", directory=".", limit=None, batch_size=8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="limit must be at least 1, not 0"):
        Glue(["rte"], directory=".", part="all", limit=0, batch_size=8, max_length=9)


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        (replace(TEXT, windows=10**6), "1000000 windows"),
        (replace(TEXT, window_tokens=10**6), "one window needs 1000000"),
    ],
)
def test_too_little_text_is_refused(
    tokenizer: PreTrainedTokenizerFast, data_root: Path, suite: Suite, message: str
) -> None:
    model = tiny_llama(tokenizer)
    with pytest.raises(ValueError, match=message):
        suite.score(model, model, tokenizer, data_root)


def test_a_missing_dump_says_what_to_do(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = tiny_llama(tokenizer)
    with pytest.raises(FileNotFoundError, match="fetch"):
        TEXT.score(model, model, tokenizer, tmp_path)


@pytest.mark.parametrize(
    "suite", [TEXT, Anytime(**asdict(TEXT)), Similarity(batch_size=1, max_length=9, lee="lee")]
)
def test_suites_that_compare_need_both_models(
    tokenizer: PreTrainedTokenizerFast, data_root: Path, suite: Suite
) -> None:
    name = type(suite).__name__
    with pytest.raises(ValueError, match=f"{name} compares two models; .* ZeroShot and Glue"):
        suite.score(tiny_llama(tokenizer), None, tokenizer, data_root)
