from __future__ import annotations

import json
import math
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from las.errors import AssetError
from las.evaluation.choice_model import ChoiceModel
from las.evaluation.tasks import TASKS, load_tasks
from las.evaluation.zero_shot import compare_zero_shot
from tests.tiny_models.plain import tiny_llama, tiny_t5

PIQA = [
    {"goal": "Open a jar", "sol1": "Turn the lid.", "sol2": "Sing to it.", "label": 0},
    {"goal": "Dry a cup", "sol1": "Use water.", "sol2": "Use a cloth.", "label": 1},
    {"goal": "Cut bread", "sol1": "Use a knife.", "sol2": "A spoon.", "label": 0},
    {"goal": "Boil eggs", "sol1": "Ice.", "sol2": "Put them in hot water.", "label": 1},
]
COPA = [
    {
        "premise": "It rained.",
        "choice1": "The grass got wet.",
        "choice2": "The sun set.",
        "question": question,
        "idx": i,
        "label": i,
    }
    for i, question in enumerate(("effect", "cause"))
]
WINOGRANDE = [
    {"sentence": "Ann met Eve so _ smiled.", "option1": "Ann", "option2": "Eve", "answer": "2"},
    {"sentence": "Bo is not Al and _ left.", "option1": "Bo", "option2": "Al", "answer": "1"},
]
SCHEMAS = [
    {"context_options": ["He ate as he", "He ate as it"], "continuation": "was there.", "gold": 0},
    {"context_options": ["A cat met a", "A cat met it"], "continuation": "ran.", "gold": 1},
]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Local data sets: PIQA and COPA as arrow with other splits beside, the rest as one file."""
    for task, rows in (("piqa", PIQA), ("copa", COPA)):
        folder = tmp_path / TASKS[task].folder
        Dataset.from_list(rows).save_to_disk(str(folder / "validation"))
        Dataset.from_list(rows[:1]).save_to_disk(str(folder / "train"))
    winogrande = tmp_path / TASKS["winogrande"].folder
    winogrande.mkdir(parents=True)
    Dataset.from_list(WINOGRANDE).to_parquet(winogrande / "validation-00000-of-00001.parquet")
    (tmp_path / "wsc273").mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in SCHEMAS)
    (tmp_path / "wsc273" / "winograd_wsc.jsonl").write_text(lines)
    return tmp_path


def log_likelihood(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, context: str, continuation: str
) -> float:
    """Sum of the log-probabilities of the continuation's tokens (one per byte here)."""
    before, after = tokenizer(context)["input_ids"], tokenizer(continuation)["input_ids"]
    with torch.no_grad():
        log_p = model(torch.tensor([before + after])).logits[0].double().log_softmax(-1)
    return sum(float(log_p[len(before) - 1 + i, token]) for i, token in enumerate(after))


def piqa_choices(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    return np.array(
        [
            [
                log_likelihood(model, tokenizer, f"Question: {q['goal']}\nAnswer:", f" {q[sol]}")
                for sol in ("sol1", "sol2")
            ]
            for q in PIQA
        ]
    )


def test_accuracy_agreement_and_kl_are_those_of_a_direct_computation(
    tokenizer: PreTrainedTokenizerFast, directory: Path
) -> None:
    ann, snn = tiny_llama(tokenizer), tiny_llama(tokenizer, seed=3)
    (score,) = compare_zero_shot(ann, snn, tokenizer, ["piqa"], directory=directory, batch_size=3)
    labels = np.array([q["label"] for q in PIQA])
    a, s = piqa_choices(ann, tokenizer), piqa_choices(snn, tokenizer)
    assert score.ann == (a.argmax(1) == labels).mean()
    assert score.snn == (s.argmax(1) == labels).mean()
    assert score.agreement == (a.argmax(1) == s.argmax(1)).mean()
    p, q = (np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in (a, s))
    assert score.kl == pytest.approx((p * np.log(p / q)).sum(1).mean(), rel=1e-4)
    right = (a.argmax(1) == labels).astype(float)
    assert score.ann_stderr == pytest.approx(right.std(ddof=1) / math.sqrt(4))
    assert (score.items, score.items_available, score.metric) == (4, 4, "acc")
    assert score.extra["seconds_ann"] > 0


def test_masked_batches_give_what_lm_eval_itself_gives(
    tokenizer: PreTrainedTokenizerFast, directory: Path
) -> None:
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    names = ["piqa", "copa", "winogrande", "wsc273"]
    model = tiny_llama(tokenizer)
    scores = compare_zero_shot(model, model, tokenizer, names, directory=directory, batch_size=4)
    reference = evaluate(
        HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1),
        {"tasks": load_tasks(names, directory)},
        bootstrap_iters=0,
    )
    for score in scores:
        assert score.ann == reference["results"][score.task]["acc,none"]
        assert score.snn == score.ann
        assert (score.agreement, score.kl) == (1.0, 0.0)
    assert scores[0].extra["acc_norm_ann"] == reference["results"]["piqa"]["acc_norm,none"]


def test_an_encoder_decoder_gives_what_lm_eval_itself_gives(
    tokenizer: PreTrainedTokenizerFast, directory: Path
) -> None:
    """T5, as T0 is one; lm-eval takes one pair at a time here, so it needs no masks."""
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    names = ["piqa", "copa", "winogrande"]
    model = tiny_t5(tokenizer)
    scores = compare_zero_shot(model, None, tokenizer, names, directory=directory, batch_size=3)
    reference = evaluate(
        HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1),
        {"tasks": load_tasks(names, directory)},
        bootstrap_iters=0,
    )
    for score in scores:
        assert score.ann == reference["results"][score.task]["acc,none"]

    mine = ChoiceModel(model, tokenizer, which="ANN", batch_size=3)
    pairs = [("Dry a cup", " Use a cloth."), ("Cut", " A spoon."), ("Boil the eggs", " Ice.")]
    requests = [(pair, *mine._encode_pair(*pair)) for pair in pairs]
    theirs = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1)
    for (value, greedy), expected in zip(
        mine._loglikelihood_tokens(requests),
        theirs._loglikelihood_tokens(requests),
        strict=True,
    ):
        assert (value, greedy) == pytest.approx(expected, rel=1e-5)


def test_the_original_alone(tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    model = tiny_llama(tokenizer)
    (both,) = compare_zero_shot(model, model, tokenizer, ["piqa"], directory=directory)
    (alone,) = compare_zero_shot(model, None, tokenizer, ["piqa"], directory=directory)
    assert (alone.ann, alone.ann_stderr) == (both.ann, both.ann_stderr)
    assert (alone.snn, alone.snn_stderr, alone.agreement, alone.kl) == (None,) * 4
    assert alone.extra["acc_norm_ann"] == both.extra["acc_norm_ann"]
    assert not any("snn" in name or "kl" in name for name in alone.extra)


def test_padding_is_masked(tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    model = tiny_llama(tokenizer)
    seen: list[int] = []

    def count(_: object, __: object, inputs: dict[str, Any]) -> None:
        lengths = inputs["attention_mask"].sum(1)
        seen.extend(lengths.tolist())
        assert (inputs["input_ids"].shape == inputs["attention_mask"].shape) and lengths.max() > 0

    model.register_forward_pre_hook(count, with_kwargs=True)
    compare_zero_shot(model, model, tokenizer, ["piqa"], directory=directory, batch_size=8)
    sizes = [
        len(f"Question: {q['goal']}\nAnswer: {q[sol]}") - 1
        for q in PIQA
        for sol in ("sol1", "sol2")
    ]
    assert sorted(seen) == sorted(sizes * 2)  # once as ANN, once as SNN


def test_limit_takes_the_first_items(tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    model = tiny_llama(tokenizer)
    (score,) = compare_zero_shot(model, model, tokenizer, ["piqa"], directory=directory, limit=1)
    assert (score.items, score.items_available, score.ann_stderr) == (1, 4, None)
    with pytest.raises(ValueError, match="limit"):
        compare_zero_shot(model, model, tokenizer, ["piqa"], directory=directory, limit=0)


def test_nan_is_an_error_that_names_the_model(
    tokenizer: PreTrainedTokenizerFast, directory: Path
) -> None:
    ann, snn = tiny_llama(tokenizer), tiny_llama(tokenizer)
    with torch.no_grad():
        snn.lm_head.weight.fill_(math.nan)
    with pytest.raises(ValueError, match="SNN gives NaN"):
        compare_zero_shot(ann, snn, tokenizer, ["piqa"], directory=directory)


@pytest.mark.parametrize(
    ("names", "message"),
    [(["piqa", "piqa"], "twice"), (["glue"], "no such task: glue"), ([], "no tasks")],
)
def test_bad_task_names_are_refused(directory: Path, names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_tasks(names, directory)


def test_a_missing_set_says_what_to_do(directory: Path) -> None:
    with pytest.raises(AssetError, match=r"rte: .* Fetch the data assets"):
        load_tasks(["rte"], directory)


def test_a_folder_without_the_split_to_score_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / TASKS["piqa"].folder
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text(json.dumps(PIQA[0]) + "\n")
    with pytest.raises(AssetError, match="validation is scored"):
        load_tasks(["piqa"], tmp_path)


@pytest.mark.parametrize(("name", "content"), [("validation.arrow", b"x"), ("a.jsonl", b"{")])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / TASKS["piqa"].folder
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    with pytest.raises(AssetError, match=rf"{name} is damaged"):
        load_tasks(["piqa"], tmp_path)
