"""How far a model's outputs are from those of another one, in one number that people know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from las.calibration.batches import Tokens
from las.errors import CalibrationError


class Loss:
    """The loss of one batch: its outputs beside those of the original.

    Of a model with logits, of two classes at least, it is the Kullback-Leibler divergence of the
    original's predictions from the model's, in nats for each token, or for each label of a
    classifier. Of any other model it is the squared error of its first output, relative to that
    output's square. Padding does not count.

    Attributes:
        total: sum over tokens of the divergence, or of the squared error.
        of: how many tokens that are, or the sum of the squares.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self.of = 0.0

    @property
    def mean(self) -> float:
        """The loss; 0 where nothing was added."""
        return self.total / self.of if self.of else 0.0

    def add(self, given: Any, expected: Any, tokens: Tokens) -> None:
        """Add one batch.

        Arguments:
            given: outputs of the model.
            expected: outputs of the original.
            tokens: of the batch.

        Raises:
            CalibrationError: the outputs hold nothing that can be compared.
        """
        x, y = scored(given, tokens), scored(expected, tokens)
        if predicts(expected):
            p, q = y.double().log_softmax(-1), x.double().log_softmax(-1)
            apart = torch.where(p > -torch.inf, p.exp() * (p - q), 0.0)  # 0 log 0 is 0
            self.total += max(float(apart.sum()), 0.0)  # but for rounding it is
            self.of += len(y)
        else:
            self.total += float((x.double() - y.double()).square().sum())
            self.of += float(y.double().square().sum())


def predicts(output: Any) -> bool:
    """Whether an output holds logits of several classes; a single one is a regression's number."""
    logits = getattr(output, "logits", None)
    return isinstance(logits, Tensor) and logits.shape[-1] > 1


def scored(output: Any, tokens: Tokens) -> Tensor:
    """The vectors of an output that count, (n, channels).

    Arguments:
        output: what a model returns: its logits, or else its first tensor.
        tokens: of the batch.

    Raises:
        CalibrationError: it holds no tensor of floating point.
    """
    if isinstance(getattr(output, "logits", None), Tensor):
        values: Any = output.logits
    elif isinstance(output, Tensor):
        values = output
    else:
        values = next(iter(output.values() if hasattr(output, "values") else output), None)
    if not isinstance(values, Tensor) or not values.is_floating_point() or values.dim() < 2:
        raise CalibrationError(
            f"a budget needs logits or an embedding to hold the loss against, and "
            f"{type(output).__name__} has none"
        )
    for keep in (tokens.decoded, tokens.keep):
        if keep is not None and values.dim() > 2 and keep.shape == values.shape[:2]:
            return values[keep.to(values.device)]
    return values.reshape(-1, values.shape[-1])


def only_scored(output: Any, tokens: Tokens) -> Any:
    """An output to keep: no more of it than a loss looks at, so neither caches nor padding.

    Raises as `scored` does.
    """
    vectors = scored(output, tokens)
    has_logits = isinstance(getattr(output, "logits", None), Tensor)
    return SimpleNamespace(logits=vectors) if has_logits else vectors


def surprise(output: Any, tokens: Tokens, generator: torch.Generator) -> tuple[Tensor, float]:
    """A number whose squared gradient, at some activation, says what an error there costs.

    Of predictions p it is the sum of s sqrt(p) log p over all labels, with random signs s: the
    mean square of its gradient is the Fisher information, as it is of log likelihoods of labels
    that are drawn, but what only rare labels would tell is in every draw. Of other outputs it is a
    random projection.

    Arguments:
        output: what the original returns, with a gradient.
        tokens: of the batch.
        generator: draws, on the CPU.

    Returns:
        That number, and what half of a sum of squared gradients times squared errors is to be
        divided by to be a `Loss`.
    """
    values = scored(output, tokens)
    if not predicts(output):
        draws = torch.randn(values.shape, generator=generator, device="cpu").to(values)
        return (values * draws).sum(), float(values.detach().double().square().sum()) / 2
    log = values.float().log_softmax(-1)
    drawn = torch.randint(0, 2, log.shape, generator=generator, device="cpu", dtype=torch.int8)
    signs = drawn.to(log) * 2 - 1
    possible = log > -torch.inf
    surprises = signs * (log.detach() / 2).exp() * log.where(possible, 0.0)
    return surprises.sum(), float(len(values))
