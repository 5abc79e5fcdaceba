"""A real language model, converted in one call, on text unseen in calibration.

What the published grid is held to stands in tests/pipeline/test_published_bounds.py.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import las
from las.data.calibration import calibration_windows
from las.data.wikipedia import articles
from las.data.windows import evenly_spaced, token_windows
from las.evaluation.text import compare_language_models
from tests.conversion.real import DUMP, SENTENCE, hold_together

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def two_threads(one_thread) -> None:
    torch.set_num_threads(2)


@pytest.fixture(scope="module")
def dump(fetched) -> Path:
    return fetched("dataset", "wikipedia") / DUMP


@pytest.fixture(scope="module")
def smollm2(fetched) -> Path:
    return fetched("model", "smollm2-135m")


@pytest.fixture(scope="module")
def spiking(smollm2, dump) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    batches = calibration_windows(dump, tokenizer, count=6, length=512, batch_size=2)
    return las.convert(AutoModelForCausalLM.from_pretrained(smollm2).eval(), batches)


def test_smollm2_is_lossless(smollm2, dump, spiking):
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    held_out = (article.text for article in articles(dump, "held-out"))
    windows = evenly_spaced(list(token_windows(held_out, tokenizer, 512)), 2)
    ann = AutoModelForCausalLM.from_pretrained(smollm2).eval()
    score = compare_language_models(ann, spiking, windows, task="wikipedia", metric="perplexity")
    assert abs(score.extra["relative_change_percent"]) <= 0.05
    assert score.kl is not None and score.kl <= 2e-5
    assert score.agreement is not None and score.agreement >= 0.995


def test_smollm2_audit_simulator_and_adapter(smollm2, spiking, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    assert las.audit(spiking).clean
    assert las.save(spiking, tmp_path).stat().st_size < 5e6
    hold_together(copy.deepcopy(spiking).double(), tokenizer(SENTENCE, return_tensors="pt"))


def test_smollm2_generates_what_a_full_forward_pass_gives(smollm2, spiking):
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    prompt = tokenizer(SENTENCE, return_tensors="pt")
    with torch.no_grad():
        tokens = spiking.generate(**prompt, max_new_tokens=12, do_sample=False)
        full = spiking(input_ids=tokens, use_cache=False).logits.argmax(-1)
    start = prompt["input_ids"].shape[1]
    assert torch.equal(tokens[0, start:], full[0, start - 1 : -1])
