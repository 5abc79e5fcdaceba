from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from las.data.windows import Window, token_windows
from las.evaluation.text import compare_language_models
from tests.tiny_models.plain import tiny_llama


class FixedLogits(nn.Module):
    """A language model that predicts the same distribution everywhere."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)
        self.device = torch.device("cpu")

    def forward(self, input_ids: Tensor, **_: object) -> SimpleNamespace:
        return SimpleNamespace(logits=self.logits.expand(*input_ids.shape, -1))


def window(tokens: list[int], byte_count: int = 0, words: int = 0) -> Window:
    return Window(torch.tensor(tokens), byte_count, words)


def test_a_uniform_model_has_the_vocabulary_as_perplexity() -> None:
    uniform = FixedLogits([0.0] * 50)
    windows = [window([1, 2, 3], words=1), window([7, 8, 9], words=1)]
    score = compare_language_models(uniform, uniform, windows, task="t", metric="perplexity")
    assert score.ann == pytest.approx(50, rel=1e-12)
    assert score.snn == score.ann
    assert score.ann_stderr == pytest.approx(0, abs=1e-9)
    assert (score.items, score.agreement, score.kl) == (4, 1.0, 0.0)
    assert score.extra["word_perplexity_ann"] == pytest.approx(50**2)  # two tokens per word
    assert score.extra["relative_change_percent"] == 0


def test_bits_per_byte_of_a_uniform_model() -> None:
    uniform = FixedLogits([0.0] * 256)  # 8 bits per token; 4 tokens stand for 16 bytes
    windows = [window([1, 2, 3], byte_count=10), window([4, 5, 6], byte_count=6)]
    score = compare_language_models(uniform, uniform, windows, task="t", metric="bits_per_byte")
    assert score.ann == pytest.approx(2.0, rel=1e-12)


def test_kl_and_agreement_of_two_known_distributions() -> None:
    p, q = [0.5, 0.25, 0.25], [0.25, 0.5, 0.25]
    ann = FixedLogits([math.log(x) + 3 for x in p])  # a shift of the logits changes nothing
    snn = FixedLogits([math.log(x) for x in q])
    score = compare_language_models(ann, snn, [window([0, 0, 1])], task="t", metric="perplexity")
    assert score.kl == pytest.approx(0.25 * math.log(2), rel=1e-6)  # sum of p ln(p / q)
    assert score.agreement == 0
    assert score.ann == pytest.approx(1 / math.sqrt(0.5 * 0.25), rel=1e-6)
    assert score.snn == pytest.approx(1 / math.sqrt(0.25 * 0.5), rel=1e-6)
    assert score.ann_stderr is None  # one window says nothing about the spread


def test_the_standard_error_is_that_of_the_mean_over_windows() -> None:
    model = FixedLogits([math.log(0.8), math.log(0.2)])
    windows = [window([0, 0]), window([0, 1]), window([0, 0])]
    score = compare_language_models(model, model, windows, task="t", metric="perplexity")
    nll = -torch.tensor([0.8, 0.2, 0.8], dtype=torch.float64).log()
    assert score.ann == pytest.approx(float(nll.mean().exp()), rel=1e-6)
    assert score.ann_stderr == pytest.approx(score.ann * float(nll.std() / math.sqrt(3)), rel=1e-6)
    assert score.extra["relative_change_stderr_percent"] == 0


def test_a_real_model_gives_what_its_own_loss_gives(tokenizer: PreTrainedTokenizerFast) -> None:
    ann, snn = tiny_llama(tokenizer), tiny_llama(tokenizer, seed=1)
    windows = list(token_windows(["Some plain text. " * 20], tokenizer, 100))
    score = compare_language_models(ann, snn, windows, task="t", metric="perplexity")
    for model, value in ((ann, score.ann), (snn, score.snn)):
        with torch.no_grad():
            losses = [
                model(input_ids=w.input_ids[None], labels=w.input_ids[None]).loss for w in windows
            ]
        assert value == pytest.approx(float(torch.stack(losses).mean().exp()), rel=1e-5)
    assert score.kl is not None and score.kl > 0
    assert score.extra["relative_change_percent"] == pytest.approx(
        100 * (score.snn / score.ann - 1)
    )


def test_nan_logits_name_the_model_and_the_place() -> None:
    good, bad = FixedLogits([0.0, 0.0]), FixedLogits([0.0, math.nan])
    with pytest.raises(ValueError, match=r"SNN .* window 0 of t"):
        compare_language_models(good, bad, [window([0, 1])], task="t", metric="perplexity")


def test_no_windows_and_unknown_metrics_are_refused() -> None:
    model = FixedLogits([0.0])
    with pytest.raises(ValueError, match="no windows"):
        compare_language_models(model, model, [], task="t", metric="perplexity")
    with pytest.raises(ValueError, match="metric"):
        compare_language_models(model, model, [window([0, 0])], task="t", metric="loss")  # type: ignore[arg-type]
