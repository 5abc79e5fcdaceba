"""The bounds that losslessness is held to, on a real language model and unseen text."""

from __future__ import annotations

from pathlib import Path

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
def statistics(smollm2, dump):
    from las.calibration import collect
    from las.conversion import prepare

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    batches = calibration_windows(dump, tokenizer, count=16, length=512, batch_size=2)
    return collect(prepare(AutoModelForCausalLM.from_pretrained(smollm2).eval()), batches)


def converted(model, statistics, config):
    from las.calibration import choose_thresholds
    from las.conversion import apply, assemble, prepare
    from las.conversion.checkpoint import attach
    from las.fitting import fit_functions

    prepare(model)
    state = assemble(
        statistics, choose_thresholds(statistics, config), fit_functions(statistics, config), config
    )
    apply(model, state)
    attach(model, state)
    return model


@pytest.mark.parametrize(
    ("time_steps", "levels", "count", "perplexity_percent", "kl", "same_top"),
    [
        (16, 5, 4, 0.05, 2e-5, 0.995),
        (16, 1, 2, 0.2, 1e-3, 0.98),
        (10, 5, 2, 0.5, 2e-3, 0.96),
        (8, 5, 2, 2.0, 2e-2, 0.90),
    ],
)
def test_smollm2_is_lossless(
    smollm2, dump, statistics, time_steps, levels, count, perplexity_percent, kl, same_top
):
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    held_out = (article.text for article in articles(dump, "held-out"))
    windows = evenly_spaced(list(token_windows(held_out, tokenizer, 512)), count)
    ann = AutoModelForCausalLM.from_pretrained(smollm2).eval()
    snn = converted(
        AutoModelForCausalLM.from_pretrained(smollm2).eval(),
        statistics,
        las.SpikeConfig(time_steps=time_steps, levels=levels),
    )
    score = compare_language_models(ann, snn, windows, task="wikipedia", metric="perplexity")
    assert abs(score.extra["relative_change_percent"]) <= perplexity_percent
    assert score.kl is not None and score.kl <= kl
    assert score.agreement is not None and score.agreement >= same_top


def test_smollm2_audit_simulator_and_adapter(smollm2, statistics, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    model = converted(
        AutoModelForCausalLM.from_pretrained(smollm2).eval(), statistics, las.SpikeConfig()
    )
    assert las.audit(model).clean
    assert las.save(model, tmp_path).stat().st_size < 5e6
    hold_together(model.double(), tokenizer(SENTENCE, return_tensors="pt"))


def test_smollm2_generates_what_a_full_forward_pass_gives(smollm2, statistics):
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    model = converted(
        AutoModelForCausalLM.from_pretrained(smollm2).eval(), statistics, las.SpikeConfig()
    )
    prompt = tokenizer(SENTENCE, return_tensors="pt")
    with torch.no_grad():
        tokens = model.generate(**prompt, max_new_tokens=12, do_sample=False)
        full = model(input_ids=tokens, use_cache=False).logits.argmax(-1)
    start = prompt["input_ids"].shape[1]
    assert torch.equal(tokens[0, start:], full[0, start - 1 : -1])
