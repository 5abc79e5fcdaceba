from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from las.data.rated_pairs import RatedPair
from las.evaluation.similarity import compare_encoders
from tests.tiny_models.plain import tiny_bert


class Angles(nn.Module):
    """An encoder whose hidden state is a point on the circle, at the mean angle of the tokens.

    Padding gets a far-off hidden state, so that using it would show.
    """

    def __init__(self, degrees: dict[int, float], length: float = 1.0) -> None:
        super().__init__()
        self.degrees = degrees
        self.length = length
        self.device = torch.device("cpu")

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: object) -> SimpleNamespace:
        angle = torch.tensor(
            [[math.radians(self.degrees.get(int(t), 0.0)) for t in row] for row in input_ids]
        )
        states = self.length * torch.stack([angle.cos(), angle.sin()], dim=-1)
        states[attention_mask == 0] = 1e3
        return SimpleNamespace(last_hidden_state=states)


@pytest.fixture
def pairs() -> list[RatedPair]:
    return [RatedPair("a", word, rating) for word, rating in zip("bcde", (4, 3, 1, 2), strict=True)]


def circle(tokenizer: PreTrainedTokenizerFast, degrees: tuple[float, ...]) -> dict[int, float]:
    return {tokenizer(c)["input_ids"][0]: d for c, d in zip("abcde", degrees, strict=True)}


def test_spearman_and_pearson_by_hand(
    tokenizer: PreTrainedTokenizerFast, pairs: list[RatedPair]
) -> None:
    ann = Angles(circle(tokenizer, (0, 10, 20, 30, 40)))  # cosines fall: ranks 4 3 2 1
    snn = Angles(circle(tokenizer, (0, 10, 20, 40, 30)), length=2.0)  # ranks 4 3 1 2
    spearman, pearson = compare_encoders(ann, snn, tokenizer, pairs, task="t", batch_size=2)
    # 1 - 6 sum d^2 / (n (n^2 - 1)) with d^2 = 0 0 1 1
    assert spearman.ann == pytest.approx(80.0)
    assert spearman.snn == pytest.approx(100.0)
    cosines = [math.cos(math.radians(x)) for x in (10, 20, 30, 40)]
    assert pearson.ann == pytest.approx(100 * np.corrcoef(cosines, [4, 3, 1, 2])[0, 1], rel=1e-5)
    assert (spearman.items, spearman.higher_is_better) == (4, True)
    # of the six pairs of pairs, ANN and SNN order five alike
    assert spearman.agreement == pytest.approx(5 / 6)
    # Bonett and Wright: (1 - r^2) sqrt((1 + r^2 / 2) / (n - 3))
    assert spearman.ann_stderr == pytest.approx(100 * (1 - 0.64) * math.sqrt(1.32))


def test_hidden_error_is_relative_and_leaves_padding_out(
    tokenizer: PreTrainedTokenizerFast, pairs: list[RatedPair]
) -> None:
    degrees = circle(tokenizer, (0, 10, 20, 30, 40))
    ann, snn = Angles(degrees, length=3.0), Angles(degrees, length=3.003)
    pairs = [*pairs, RatedPair("ab", "ecd", 1.5)]
    spearman, pearson = compare_encoders(ann, snn, tokenizer, pairs, task="t", batch_size=8)
    assert spearman.extra["hidden_relative_error"] == pytest.approx(1e-3, rel=1e-3)
    assert spearman.extra["cosine_mean_abs_difference"] == pytest.approx(0, abs=1e-6)
    assert "seconds_ann" in spearman.extra and "seconds_ann" not in pearson.extra


def test_batching_does_not_change_a_real_encoder(tokenizer: PreTrainedTokenizerFast) -> None:
    ann, snn = tiny_bert(tokenizer), tiny_bert(tokenizer, seed=1)
    words = ["one", "a few words", "something rather longer than that", "x", "blue sky"]
    pairs = [
        RatedPair(a, b, float(i))
        for i, (a, b) in enumerate(zip(words, words[1:] + words[:1], strict=True))
    ]
    alone, together = (
        compare_encoders(ann, snn, tokenizer, pairs, task="t", batch_size=size) for size in (1, 8)
    )
    for one, other in zip(alone, together, strict=True):
        assert (one.ann, one.snn) == pytest.approx((other.ann, other.snn), rel=1e-4)


def test_bad_input_is_refused(tokenizer: PreTrainedTokenizerFast, pairs: list[RatedPair]) -> None:
    ann = Angles(circle(tokenizer, (0, 10, 20, 30, 40)))
    with pytest.raises(ValueError, match="at least 4"):
        compare_encoders(ann, ann, tokenizer, pairs[:3], task="t")
    with pytest.raises(ValueError, match="ratings"):
        same = [RatedPair(p.first, p.second, 1.0) for p in pairs]
        compare_encoders(ann, ann, tokenizer, same, task="t")
    with pytest.raises(ValueError, match="SNN finds every pair"):
        flat = Angles({})
        compare_encoders(ann, flat, tokenizer, pairs, task="t")
    with pytest.raises(ValueError, match="NaN"):
        compare_encoders(ann, Angles({}, length=math.nan), tokenizer, pairs, task="t")
