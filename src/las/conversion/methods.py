"""What a converted model does otherwise than the class of transformers that it is of.

The functions are attributes of the model itself, which come before the methods of its class. They
are copied and pickled with it.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NoReturn

from torch import nn
from transformers import PreTrainedModel

from las.components.linear import SpikingLinear
from las.errors import UnsupportedModelError


def give_own_methods(model: nn.Module) -> None:
    """Let a converted model, or the one in a wrapper, resize its embeddings and batch no pages."""
    held: Any = next(part for part in model.modules() if isinstance(part, PreTrainedModel))
    held.resize_token_embeddings = partial(resize_token_embeddings, held)
    if hasattr(held, "init_continuous_batching"):
        held.init_continuous_batching = refuse_continuous_batching


def refuse_continuous_batching(*args: Any, **kwargs: Any) -> NoReturn:
    """Stand in for the method that all ways into continuous batching call.

    Raises:
        UnsupportedModelError: always.
    """
    raise UnsupportedModelError(
        "continuous batching (generate_batch, ContinuousBatchingManager, paged caches) hands "
        "attention a cache of pages, which spiking attention does not read: use model.generate"
    )


def resize_token_embeddings(model: Any, *args: Any, **kwargs: Any) -> nn.Embedding:
    """`PreTrainedModel.resize_token_embeddings` for a head that spikes.

    transformers makes a new head of `nn.Linear`. Here its weights go into the spiking one, whose
    neurons read what they have read before.

    Arguments: those of the method.
    """
    head = model.get_output_embeddings()
    method = type(model).resize_token_embeddings
    if not isinstance(head, SpikingLinear):
        embeddings: nn.Embedding = method(model, *args, **kwargs)
        return embeddings
    model.set_output_embeddings(_dense(head))
    try:
        embeddings = method(model, *args, **kwargs)
    finally:
        resized = model.get_output_embeddings()
        head.weight, head.bias = resized.weight, resized.bias
        model.set_output_embeddings(head)
    return embeddings


def _dense(head: SpikingLinear) -> nn.Linear:
    """A linear layer with the parameters of a spiking one."""
    outputs, inputs = head.weight.shape
    linear = nn.Linear(inputs, outputs, bias=False, device="meta")
    linear.weight = head.weight
    linear.register_parameter("bias", head.bias)
    return linear
