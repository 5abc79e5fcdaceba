"""A real language model on text unseen in calibration.

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
from las.calibration import Statistics, choose_thresholds, collect
from las.conversion import apply, assemble, prepare
from las.conversion.checkpoint import attach
from las.data.calibration import calibration_windows
from las.data.wikipedia import articles
from las.data.windows import evenly_spaced, token_windows
from las.evaluation.text import compare_language_models
from las.fitting import fit_functions
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
def statistics(smollm2, dump) -> Statistics:
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    batches = calibration_windows(dump, tokenizer, count=6, length=512, batch_size=2)
    return collect(prepare(AutoModelForCausalLM.from_pretrained(smollm2).eval()), batches)


def converted(smollm2: Path, statistics: Statistics, config: las.SpikeConfig) -> Any:
    model = prepare(AutoModelForCausalLM.from_pretrained(smollm2).eval())
    state = assemble(
        statistics, choose_thresholds(statistics, config), fit_functions(statistics, config), config
    )
    apply(model, state)
    attach(model, state)
    return model


@pytest.fixture(scope="module")
def spiking(smollm2, statistics) -> Any:
    return converted(smollm2, statistics, las.SpikeConfig())


@pytest.mark.parametrize(
    ("time_steps", "levels", "perplexity_percent", "kl", "same_top"),
    [(16, 5, 0.05, 2e-5, 0.995), (16, 1, 0.2, 1e-3, 0.98), (8, 5, 2.0, 2e-2, 0.90)],
)
def test_smollm2_is_lossless(
    smollm2, dump, statistics, time_steps, levels, perplexity_percent, kl, same_top
):
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    held_out = (article.text for article in articles(dump, "held-out"))
    windows = evenly_spaced(list(token_windows(held_out, tokenizer, 512)), 2)
    ann = AutoModelForCausalLM.from_pretrained(smollm2).eval()
    snn = converted(smollm2, statistics, las.SpikeConfig(time_steps, levels))
    score = compare_language_models(ann, snn, windows, task="wikipedia", metric="perplexity")
    assert abs(score.extra["relative_change_percent"]) <= perplexity_percent
    assert score.kl is not None and score.kl <= kl
    assert score.agreement is not None and score.agreement >= same_top


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
