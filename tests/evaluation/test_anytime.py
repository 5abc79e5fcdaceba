from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedTokenizerFast

import las
from las.data.windows import Window
from las.energy import accounts
from las.errors import LasError
from las.evaluation.anytime import compare_after_each_step
from las.evaluation.score import Score
from las.evaluation.text import compare_language_models
from tests.evaluation.conftest import spiking_llama
from tests.tiny_models.plain import tiny_llama

STEPS = 8


@pytest.fixture
def windows(tokenizer: PreTrainedTokenizerFast) -> list[Window]:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(2, len(tokenizer), (3, 20), generator=generator)
    return [Window(row, 20, 4) for row in ids]


@pytest.fixture
def snn(tokenizer: PreTrainedTokenizerFast) -> torch.nn.Module:
    return spiking_llama(tokenizer, STEPS)


@pytest.fixture
def scores(tokenizer, snn, windows) -> list[Score]:
    return compare_after_each_step(tiny_llama(tokenizer), snn, windows, task="t")


def test_the_last_step_scores_what_the_whole_model_scores(tokenizer, snn, windows, scores) -> None:
    ann = tiny_llama(tokenizer)
    whole = compare_language_models(ann, snn, windows, task="t", metric="perplexity")
    last = scores[-1]
    assert (last.ann, last.snn, last.kl, last.agreement, last.items) == (
        whole.ann,
        whole.snn,
        whole.kl,
        whole.agreement,
        whole.items,
    )


def test_every_step_has_its_score_and_more_steps_lose_less(scores) -> None:
    assert [score.extra["after_steps"] for score in scores] == list(range(1, STEPS + 1))
    assert len({score.ann for score in scores}) == 1
    divergence = [score.kl for score in scores]
    assert divergence[1] > 4 * divergence[3] > 16 * divergence[5] > 16 * divergence[7] > 0


def test_spikes_and_operations_only_grow(scores) -> None:
    for name in ("spikes_per_token", "sops_per_token"):
        counts = [score.extra[name] for score in scores]
        assert counts == sorted(set(counts))


def test_what_each_step_has_fired_can_be_charged(snn, windows, scores) -> None:
    for score in scores:
        t = score.extra["after_steps"]
        assert {site.time_steps for site in score.spikes.sites.values()} == {t}
        assert score.spikes.tokens == 3 * 20
        assert accounts(score.spikes)["graded_fp32"].snn is not None
    with las.stop_after(snn, 3), las.count_spikes(snn) as three:
        for window in windows:
            snn(input_ids=window.input_ids[None])
    assert scores[2].spikes.sites == three.sites
    assert "spikes" not in scores[2].to_dict()


def test_a_count_around_it_is_that_of_the_whole_model(tokenizer, snn, windows, scores) -> None:
    ann = tiny_llama(tokenizer)
    with las.count_spikes(snn) as outer:
        compare_after_each_step(ann, snn, windows, task="t")
    with las.count_spikes(snn) as whole:
        compare_language_models(ann, snn, windows, task="t", metric="perplexity")
    assert outer == whole
    assert outer.tokens == 3 * 20
    assert scores[-1].extra["spikes_per_token"] == outer.spikes / outer.tokens


def test_no_windows_and_dense_models_are_refused(tokenizer, snn, windows) -> None:
    ann = tiny_llama(tokenizer)
    with pytest.raises(ValueError, match="no windows"):
        compare_after_each_step(ann, snn, [], task="t")
    with pytest.raises(LasError, match=r"las\.convert first"):
        compare_after_each_step(ann, ann, windows, task="t")
