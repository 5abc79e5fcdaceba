from __future__ import annotations

import bz2
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from las.data.wikipedia import split_of
from las.evaluation.evaluate import evaluate
from tests.evaluation.conftest import spiking_llama
from tests.tiny_models.plain import tiny_bert, tiny_llama

TEXT: dict[str, Any] = {"suite": "text", "dump": "wiki/p.bz2", "windows": 3, "window_tokens": 32}


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
    prose, xml = evaluate(ann, snn, tokenizer, TEXT, data_root)
    assert (prose.metric, xml.metric) == ("perplexity", "bits_per_byte")
    assert prose.items == xml.items == 3 * 31
    assert prose.items < prose.items_available < xml.items_available


def test_the_corpus_suite_scores_one_text(
    tokenizer: PreTrainedTokenizerFast, data_root: Path
) -> None:
    (data_root / "text").write_text("The end of a text is read, and its words count. " * 40)
    ann, snn = tiny_llama(tokenizer), tiny_llama(tokenizer, seed=1)
    config = {
        "suite": "corpus",
        "task": "enwik8",
        "metric": "bits_per_byte",
        "place": "text",
        "last_bytes": 400,
        "windows": None,
        "window_tokens": 32,
    }
    (score,) = evaluate(ann, snn, tokenizer, config, data_root)
    assert (score.task, score.metric) == ("enwik8", "bits_per_byte")
    assert score.items == score.items_available
    (whole,) = evaluate(ann, snn, tokenizer, config | {"last_bytes": None}, data_root)
    assert whole.items > score.items
    (some,) = evaluate(ann, snn, tokenizer, config | {"windows": 2}, data_root)
    assert (some.items, some.items_available) == (2 * 31, score.items)


def test_the_anytime_suite_scores_prose_after_each_step(
    tokenizer: PreTrainedTokenizerFast, data_root: Path
) -> None:
    snn = spiking_llama(tokenizer, time_steps=4)
    config = TEXT | {"suite": "anytime"}
    scores = evaluate(tiny_llama(tokenizer), snn, tokenizer, config, data_root)
    assert [score.metric for score in scores] == [f"perplexity_after_{t}" for t in (1, 2, 3, 4)]
    assert all(3 * 31 == score.items < score.items_available for score in scores)


def test_the_similarity_suite_scores_each_set_twice(
    tokenizer: PreTrainedTokenizerFast, data_root: Path
) -> None:
    config = {"suite": "similarity", "wordsim353": "words.tsv", "batch_size": 4, "max_length": 16}
    model = tiny_bert(tokenizer)
    scores = evaluate(model, model, tokenizer, config, data_root)
    assert [(s.task, s.metric, s.items) for s in scores] == [
        ("wordsim353", "spearman", 5),
        ("wordsim353", "pearson", 5),
    ]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "lacks the field 'suite'"),
        ({"suite": "poetry"}, "suite is one of"),
        ({"suite": "text", "dump": "wiki/p.bz2"}, "lacks the field 'windows'"),
        (TEXT | {"windows": 10**6}, "1000000 windows"),
        (TEXT | {"window_tokens": 10**6}, "one window needs 1000000"),
        ({"suite": "similarity", "batch_size": 1, "max_length": 9}, "names no data set"),
        ({"suite": "zero_shot", "source": "disk"}, "source is one of local, hub"),
    ],
)
def test_a_bad_config_says_what_is_wrong(
    tokenizer: PreTrainedTokenizerFast, data_root: Path, config: dict[str, Any], message: str
) -> None:
    model = tiny_llama(tokenizer)
    with pytest.raises(ValueError, match=message):
        evaluate(model, model, tokenizer, config, data_root)


def test_a_missing_dump_says_what_to_do(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = tiny_llama(tokenizer)
    with pytest.raises(FileNotFoundError, match="fetch"):
        evaluate(model, model, tokenizer, TEXT, tmp_path)


@pytest.mark.parametrize("suite", ["text", "anytime", "similarity"])
def test_suites_that_compare_need_both_models(
    tokenizer: PreTrainedTokenizerFast, data_root: Path, suite: str
) -> None:
    with pytest.raises(ValueError, match=f"{suite} compares two models; .* zero_shot and glue"):
        evaluate(tiny_llama(tokenizer), None, tokenizer, TEXT | {"suite": suite}, data_root)
