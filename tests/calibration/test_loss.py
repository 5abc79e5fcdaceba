"""The loss that a budget is held against, worked out by hand."""

from __future__ import annotations

from math import log
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from las.calibration.batches import Tokens
from las.calibration.loss import Loss, only_scored, predicts, scored, surprise
from las.errors import CalibrationError


def logits(*rows: list[float]) -> Any:
    """Of one text, from its tokens' predictions, to a constant that softmax does not see."""
    return SimpleNamespace(logits=torch.tensor([rows]).log() + 7.0)


ORIGINAL = logits([1 / 2, 1 / 4, 1 / 4], [1 / 8, 3 / 8, 1 / 2])
OTHER = logits([1 / 4, 1 / 4, 1 / 2], [1 / 8, 1 / 8, 3 / 4])
FIRST = log(2) / 4  # 1/2 log 2 + 0 + 1/4 log 1/2
SECOND = 3 / 8 * log(3) + 1 / 2 * log(2 / 3)


def loss_of(given: Any, expected: Any, tokens: Tokens) -> Loss:
    loss = Loss()
    loss.add(given, expected, tokens)
    return loss


def test_of_predictions_it_is_the_divergence_for_each_token() -> None:
    loss = loss_of(OTHER, ORIGINAL, Tokens(2))
    assert (loss.total, loss.of) == (pytest.approx(FIRST + SECOND, rel=1e-6), 2)
    assert loss.mean == pytest.approx((FIRST + SECOND) / 2, rel=1e-6)
    other_way = loss_of(ORIGINAL, OTHER, Tokens(2)).total
    assert abs(other_way - loss.total) > 0.01  # which one is the original matters


@pytest.mark.parametrize("keep", [None, torch.tensor([[True, False]])])
def test_what_is_kept_of_an_original_tells_the_same_loss(keep: Tensor | None) -> None:
    tokens = Tokens(2 if keep is None else 1, keep)
    caching = SimpleNamespace(logits=ORIGINAL.logits, past_key_values=[torch.zeros(9)])
    kept = only_scored(caching, tokens)
    assert vars(kept).keys() == {"logits"}
    assert loss_of(OTHER, kept, tokens).mean == loss_of(OTHER, ORIGINAL, tokens).mean
    embedded = BaseModelOutput(last_hidden_state=ORIGINAL.logits)
    other = BaseModelOutput(last_hidden_state=OTHER.logits)
    whole = loss_of(other, embedded, tokens).mean
    assert loss_of(other, only_scored(embedded, tokens), tokens).mean == whole


def test_labels_that_cannot_be_cost_nothing() -> None:
    """0 log 0 is 0: of a vocabulary that was cut, the others are as before."""
    cut, other = (
        SimpleNamespace(
            logits=torch.cat([one.logits, one.logits.new_full((1, 2, 1), -torch.inf)], -1)
        )
        for one in (ORIGINAL, OTHER)
    )
    whole = loss_of(OTHER, ORIGINAL, Tokens(2)).mean
    assert loss_of(other, cut, Tokens(2)).mean == pytest.approx(whole, rel=1e-6)
    number, _ = surprise(cut, Tokens(2), torch.Generator().manual_seed(0))
    assert number.isfinite()


def test_padding_does_not_count() -> None:
    """Of the decoder, where there is one: its tokens are those that are predicted."""
    keep = torch.tensor([[True, False]])
    for tokens in (Tokens(1, keep), Tokens(3, torch.ones(1, 2).bool(), keep)):
        loss = loss_of(OTHER, ORIGINAL, tokens)
        assert (loss.total, loss.of) == (pytest.approx(FIRST, rel=1e-6), 1)


def test_batches_add_up_token_by_token() -> None:
    loss = Loss()
    loss.add(OTHER, ORIGINAL, Tokens(2))
    loss.add(OTHER, ORIGINAL, Tokens(1, torch.tensor([[False, True]])))
    assert loss.mean == pytest.approx((FIRST + 2 * SECOND) / 3, rel=1e-6)


def test_labels_of_a_classifier_count_text_by_text() -> None:
    given, expected = (SimpleNamespace(logits=x.logits[0]) for x in (OTHER, ORIGINAL))
    keep = torch.tensor([[True, True, False], [True, False, False]])  # of tokens, not of labels
    loss = loss_of(given, expected, Tokens(3, keep))
    assert (loss.total, loss.of) == (pytest.approx(FIRST + SECOND, rel=1e-6), 2)


def test_of_embeddings_it_is_the_relative_squared_error() -> None:
    """(3, 4) against (3, 2) is off by 4 of 13; padding holds anything."""
    expected = BaseModelOutput(last_hidden_state=torch.tensor([[[3.0, 2.0], [1.0, 1.0]]]))
    given = BaseModelOutput(last_hidden_state=torch.tensor([[[3.0, 4.0], [9.0, 9.0]]]))
    keep = torch.tensor([[True, False]])
    assert loss_of(given, expected, Tokens(1, keep)).mean == pytest.approx(4 / 13)
    assert loss_of(given[0], expected[0], Tokens(1, keep)).mean == pytest.approx(4 / 13)
    assert loss_of(given, expected, Tokens(2)).mean == pytest.approx((4 + 128) / (13 + 2))


def test_without_batches_it_is_zero_and_of_the_same_outputs_too() -> None:
    assert Loss().mean == 0
    assert loss_of(ORIGINAL, ORIGINAL, Tokens(2)).mean == pytest.approx(0, abs=1e-15)


def test_narrow_outputs_are_compared_in_float64() -> None:
    narrow = SimpleNamespace(logits=ORIGINAL.logits.bfloat16())
    wide = SimpleNamespace(logits=narrow.logits.double())
    assert loss_of(narrow, wide, Tokens(2)).total == 0


@pytest.mark.parametrize(
    "output", [torch.ones(3), torch.ones(2, 3, dtype=torch.int64), {}, (), BaseModelOutput()]
)
def test_outputs_of_another_kind_are_a_clear_error(output: Any) -> None:
    assert not predicts(output)
    with pytest.raises(CalibrationError, match=r"logits or an embedding.* has none"):
        scored(output, Tokens(1))


def expected_squares(output: Any, values: Tensor, draws: int) -> tuple[Tensor, float]:
    """Mean squared gradients of many draws, and what they are divided by."""
    generator = torch.Generator().manual_seed(0)
    squares = torch.zeros_like(values, dtype=torch.float64)
    for _ in range(draws):
        number, share = surprise(output, Tokens(2), generator)
        (gradient,) = torch.autograd.grad(number, values, retain_graph=True)
        squares += gradient.double().square() / draws
    return squares, share


def test_the_gradient_of_predictions_is_that_of_the_fisher_information() -> None:
    """Of a logit, the mean square of [label] - p is p (1 - p)."""
    output = SimpleNamespace(logits=ORIGINAL.logits.clone().requires_grad_())
    squares, share = expected_squares(output, output.logits, 4000)
    p = output.logits.detach().double().softmax(-1)
    assert share == 2
    assert torch.allclose(squares, p * (1 - p), rtol=0.1)


def test_every_draw_tells_what_only_a_rare_label_would() -> None:
    """Of ten thousand labels that are drawn from such predictions, one is the second."""
    values = logits([0.9999, 0.0001]).logits.requires_grad_()
    squares, _ = expected_squares(SimpleNamespace(logits=values), values, 1)
    assert torch.allclose(squares, torch.tensor(1e-4).double(), rtol=0.05)


def test_the_gradient_of_an_embedding_is_a_random_projection() -> None:
    """Each of its numbers has a mean square of 1; (3, 2) and (1, 1) come to 15 / 2."""
    values = torch.tensor([[[3.0, 2.0], [1.0, 1.0]]], requires_grad=True)
    squares, share = expected_squares(BaseModelOutput(last_hidden_state=values), values, 4000)
    assert share == 7.5
    assert torch.allclose(squares, torch.ones_like(squares), rtol=0.1)


def test_the_same_generator_draws_the_same() -> None:
    output = SimpleNamespace(logits=ORIGINAL.logits.clone().requires_grad_())
    numbers = [
        float(surprise(output, Tokens(2), torch.Generator().manual_seed(3))[0].detach())
        for _ in range(2)
    ]
    assert numbers[0] == numbers[1]
