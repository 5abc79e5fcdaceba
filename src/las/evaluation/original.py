"""The original model of a comparison, asked once about each item for all its spiking versions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from torch import Tensor
from transformers import PreTrainedModel

Answer = TypeVar("Answer", bound=tuple[Any, ...])

KEPT_BYTES = 2 * 2**30
"""How much an `Original` keeps: the logits of eight windows of 512 tokens take 0.8 GB."""


class Original:
    """A model with what it answered.

    Every spiking version of a model is compared with the same original on the same items. The
    functions that compare take an `Original` in place of the model; then the answers of the first
    comparison serve the next ones, to the bit, with the time that they took. What no longer fits
    into `kept_bytes` is asked again.

    Attributes:
        model: the original.
    """

    def __init__(self, model: PreTrainedModel, kept_bytes: int = KEPT_BYTES) -> None:
        self.model = model
        self._room = kept_bytes
        self._answers: dict[Hashable, tuple[Any, ...]] = {}

    @classmethod
    def of(cls, ann: PreTrainedModel | Original) -> Original:
        """`ann` itself, or a model as an `Original` that keeps nothing."""
        return ann if isinstance(ann, Original) else cls(ann, kept_bytes=0)

    def once(self, key: Hashable, ask: Callable[[], Answer]) -> Answer:
        """What `ask` gives, which is called only if nothing is kept for `key`.

        Arguments:
            key: says what is asked, completely.
            ask: runs the model; gives a tuple. Its tensors are kept in the processor's memory.
        """
        if key not in self._answers:
            answer = ask()
            size = sum(part.nbytes for part in answer if isinstance(part, Tensor))
            if size > self._room:
                return answer
            self._room -= size
            self._answers[key] = tuple(
                (part.cpu(), part.device) if isinstance(part, Tensor) else (part, None)
                for part in answer
            )
            return answer
        kept = self._answers[key]
        return tuple(part if device is None else part.to(device) for part, device in kept)  # type: ignore[return-value]


def content_key(inputs: Mapping[str, Tensor]) -> Hashable:
    """A key that stands for the content of a model's inputs."""
    return tuple(
        (name, tuple(tensor.shape), hashlib.sha256(tensor.cpu().numpy().tobytes()).digest())
        for name, tensor in sorted(inputs.items())
    )
