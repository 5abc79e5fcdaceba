"""The real data and models, where `make repro` has fetched them."""

from __future__ import annotations

from pathlib import Path

import pytest

from las.data.glue import GLUE, read_glue
from las.data.lee import read_lee
from las.data.wikipedia import articles, raw_pages
from las.data.word_pairs import read_word_pairs
from las.evaluation.glue import compare_classifiers
from las.evaluation.similarity import compare_encoders
from las.evaluation.tasks import load_tasks

DATA = Path(__file__).parents[2] / "data"
ASSETS = DATA / "assets"


def fetched(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.relative_to(DATA.parent)} has not been fetched")
    return path


@pytest.mark.slow
def test_the_similarity_sets_are_whole() -> None:
    folder = fetched(ASSETS / "word-similarity")
    assert len(read_word_pairs(folder / "wordsim353.tsv")) == 353
    assert len(read_word_pairs(folder / "simlex999.txt")) == 999
    assert len(read_lee(folder)) == 50 * 49 // 2


@pytest.mark.slow
def test_minilm_reaches_its_figures() -> None:
    from transformers import AutoModel, AutoTokenizer

    directory = fetched(DATA / "models" / "minilm-l6")
    pairs = read_word_pairs(fetched(ASSETS / "word-similarity") / "wordsim353.tsv")
    model = AutoModel.from_pretrained(directory).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    spearman, pearson = compare_encoders(model, model, tokenizer, pairs, task="wordsim353")
    assert spearman.ann == pytest.approx(72.89, abs=0.01)
    assert pearson.ann == pytest.approx(68.73, abs=0.01)


@pytest.mark.slow
def test_wikipedia_gives_clean_prose() -> None:
    (dump,) = fetched(ASSETS / "wikipedia").glob("*.bz2")
    held_out = list(articles(dump, "held-out"))
    calibration = {article.title for article in articles(dump, "calibration")}
    assert len(held_out) >= 20 and not calibration & {article.title for article in held_out}
    text = "\n".join(article.text for article in held_out)
    assert len(text) > 500_000
    assert not any(mark in text for mark in ("{{", "}}", "[[", "]]", "<ref", "{|", "'''", "&nbsp;"))
    assert sum(len(page.encode()) for page in raw_pages(dump, "held-out")) > 1_500_000


@pytest.mark.slow
def test_the_six_tasks_are_whole() -> None:
    tasks = load_tasks(["piqa", "winogrande", "copa", "rte"], fetched(ASSETS / "zero-shot"))
    sizes = {name: len(task.eval_docs) for name, task in tasks.items()}
    assert sizes == {"piqa": 1838, "winogrande": 1267, "copa": 100, "rte": 277}


@pytest.mark.slow
def test_the_glue_sets_are_whole() -> None:
    folder = fetched(ASSETS / "glue")
    sizes = {"qqp": 40430, "mnli": 9815, "sst2": 872, "qnli": 5463, "rte": 277, "mrpc": 408}
    sizes["stsb"] = 1500
    there = [task for task in sizes if (folder / task).is_dir()]
    assert {"sst2", "mrpc", "rte"} <= set(there)
    for task in there:
        items = read_glue(task, folder)
        assert len(items) == sizes[task]
        assert {item.label for item in items} >= set(range(len(GLUE[task].labels)))


@pytest.mark.slow
def test_the_head_trained_here_knows_sentences_that_it_never_read() -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    directory = fetched(DATA / "models" / "minilm-sst2")
    items = read_glue("sst2", fetched(ASSETS / "glue"), "held-out")
    model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    (score,) = compare_classifiers(model, None, tokenizer, items, task="sst2")
    assert score.ann_stderr is not None
    assert score.ann > score.extra["majority"] + 5 * score.ann_stderr
