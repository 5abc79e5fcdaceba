"""Vision-language models on questions about images: do they give the right answer?"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedModel, ProcessorMixin

from las.data.easy_vqa import Question
from las.data.visual_prompts import question_batch
from las.evaluation.checks import refuse_dense_checkpoint, require_finite
from las.evaluation.original import Original
from las.evaluation.score import Score
from las.evaluation.standard_errors import mean_stderr
from las.hosts.offload import input_device

ANSWER_TOKENS = 8
"""Tokens that an answer may take: easy-VQA's are single words."""


class _Answers(NamedTuple):
    texts: list[str]
    log_p: Tensor  # (questions, vocabulary): of the first token
    seconds: float


def compare_visual_questions(
    ann: PreTrainedModel | Original,
    snn: PreTrainedModel,
    processor: ProcessorMixin,
    questions: Sequence[Question],
    known: Sequence[Question],
    *,
    task: str,
    batch_size: int,
    questions_available: int,
) -> Score:
    """Accuracy of both models' answers, generated greedily, by exact match.

    Letters count alike whether small or capital, and a full stop at the end is left out. The
    standard errors are the sample's. `agreement` is the share of questions to which both give the
    same answer, `kl` the mean KL(ANN || SNN) of the answer's first token, in nats.

    What a model has to surpass is scored on the same questions: `majority`, the answer most
    frequent among `known` given to all of them, and `blind`, for each question the answer that
    most often followed the same words in `known`, whatever the image showed.

    Arguments:
        ann, snn: the original (or an `Original`, which remembers) and its spike-equivalent.
        processor: theirs.
        questions: what to ask.
        known: questions with answers that the models may have been trained on.
        task: the name to report.
        batch_size: questions per forward pass.
        questions_available: questions in the whole set.

    Returns:
        a Score; `extra` holds `majority`, `blind`, the accuracies of each kind of question
        (`acc_<kind>_ann`, `acc_<kind>_snn`), the largest KL of a question, and the seconds.

    Raises:
        ValueError: there are no questions, or a model gives NaN.
        AssetError, FileNotFoundError: an image is damaged or missing.
        UnsupportedModelError: a spiking checkpoint that was loaded dense.
    """
    if not questions:
        raise ValueError(f"{task}: there are no questions to ask")
    original = Original.of(ann)
    refuse_dense_checkpoint(original.model)
    refuse_dense_checkpoint(snn)

    def ask(which: str, model: PreTrainedModel) -> _Answers:
        return _ask(model, which, processor, questions, task, batch_size)

    key = (tuple(questions), batch_size)
    answers = {
        "ANN": _Answers(*original.once(key, lambda: ask("ANN", original.model))),
        "SNN": ask("SNN", snn),
    }
    right = {
        which: np.array(
            [text == _plain(q.answer) for text, q in zip(answer.texts, questions, strict=True)]
        )
        for which, answer in answers.items()
    }
    log_p, log_q = answers["ANN"].log_p, answers["SNN"].log_p
    kls = (log_p.exp() * (log_p - log_q)).sum(-1)
    extra = _baselines(questions, known)
    kinds = np.array([question.kind for question in questions])
    for kind in sorted(set(kinds)):
        for which in answers:
            share = right[which][kinds == kind].mean()
            extra[f"acc_{kind}_{which.lower()}"] = float(share)
    extra["kl_max"] = float(kls.max())
    for which, answer in answers.items():
        extra[f"seconds_{which.lower()}"] = answer.seconds
    return Score(
        task=task,
        metric="acc",
        higher_is_better=True,
        ann=float(right["ANN"].mean()),
        snn=float(right["SNN"].mean()),
        ann_stderr=mean_stderr(right["ANN"]),
        snn_stderr=mean_stderr(right["SNN"]),
        items=len(questions),
        items_available=questions_available,
        agreement=float(np.mean(np.array(answers["ANN"].texts) == answers["SNN"].texts)),
        kl=float(kls.mean()),
        extra=extra,
    )


@torch.no_grad()
def _ask(
    model: Any,
    which: str,
    processor: Any,
    questions: Sequence[Question],
    task: str,
    batch_size: int,
) -> _Answers:
    texts: list[str] = []
    log_p = []
    seconds = 0.0
    starts = range(0, len(questions), batch_size)
    for start in tqdm(starts, desc=f"{task}: {which}", unit="batch"):
        inputs = question_batch(processor, questions[start : start + batch_size])
        device = input_device(model)
        on_device = {name: tensor.to(device) for name, tensor in inputs.items()}
        began = time.perf_counter()
        output = model.generate(
            **on_device,
            max_new_tokens=ANSWER_TOKENS,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
        first = output.logits[0].cpu()
        seconds += time.perf_counter() - began
        require_finite(first, which, f"a question of {task}")
        log_p.append(first.double().log_softmax(-1))
        written = output.sequences[:, inputs["input_ids"].shape[1] :].cpu()
        texts += [
            _plain(text) for text in processor.batch_decode(written, skip_special_tokens=True)
        ]
    return _Answers(texts, torch.cat(log_p), seconds)


def _plain(answer: str) -> str:
    return answer.strip().removesuffix(".").casefold()


def _baselines(questions: Sequence[Question], known: Sequence[Question]) -> dict[str, float]:
    """Accuracies of the two ways to answer without looking."""
    answers = Counter(question.answer for question in known)
    after: dict[str, Counter[str]] = defaultdict(lambda: answers)
    for question in known:
        if question.text not in after:
            after[question.text] = Counter()
        after[question.text][question.answer] += 1
    most = answers.most_common(1)[0][0]
    guesses = [after[question.text].most_common(1)[0][0] for question in questions]
    return {
        "majority": float(np.mean([question.answer == most for question in questions])),
        "blind": float(
            np.mean([q.answer == guess for q, guess in zip(questions, guesses, strict=True)])
        ),
    }
