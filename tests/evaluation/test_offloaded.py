"""Models whose weights are brought in layer by layer score as they do in memory."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import cpu_offload
from transformers import PreTrainedTokenizerFast

from las.data.rated_pairs import RatedPair
from las.data.windows import token_windows
from las.evaluation.choice_model import ChoiceModel
from las.evaluation.similarity import compare_encoders
from las.evaluation.text import compare_language_models
from tests.tiny_models.plain import tiny_bert, tiny_llama


def offloaded(model: Any) -> Any:
    return cpu_offload(model, execution_device=torch.device("cpu"))


def test_a_language_model(tokenizer: PreTrainedTokenizerFast) -> None:
    ann, other = tiny_llama(tokenizer), tiny_llama(tokenizer, seed=1)
    windows = list(token_windows(["It rained and the grass got wet."], tokenizer, 8))
    plain, away = (
        compare_language_models(ann, model, windows, task="t", metric="perplexity")
        for model in (other, offloaded(tiny_llama(tokenizer, seed=1)))
    )
    assert (away.ann, away.snn, away.kl) == (plain.ann, plain.snn, plain.kl)


def test_an_encoder(tokenizer: PreTrainedTokenizerFast) -> None:
    pairs = [RatedPair("wet", word, i) for i, word in enumerate(("grass", "rain", "sun", "bread"))]
    ann = tiny_bert(tokenizer)
    plain, away = (
        compare_encoders(ann, model, tokenizer, pairs, task="t", batch_size=2, max_length=8)
        for model in (tiny_bert(tokenizer, 1), offloaded(tiny_bert(tokenizer, 1)))
    )
    assert [score.snn for score in away] == [score.snn for score in plain]


def test_choices(tokenizer: PreTrainedTokenizerFast) -> None:
    requests = [(("It", "rained."), [5, 6, 7], [8, 9]), (("It", "ran."), [5, 6], [10])]
    plain, away = (
        ChoiceModel(model, tokenizer, which="ANN", batch_size=2)._loglikelihood_tokens(requests)
        for model in (tiny_llama(tokenizer), offloaded(tiny_llama(tokenizer)))
    )
    assert away == plain
