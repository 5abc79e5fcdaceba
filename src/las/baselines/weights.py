"""Giving a model other weights, and the old ones back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn


def exchange(model: nn.Module, weights: Mapping[nn.Parameter, nn.Parameter]) -> None:
    """Put other parameters in the place of some, wherever a model holds them.

    The old ones stay as they are: other models may hold them too (`las.hosts.twin.twin`).

    Arguments:
        model: any model.
        weights: new parameters by the old ones.
    """
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter in weights:
                module._parameters[name] = weights[parameter]


@contextmanager
def weights_of_its_own(model: nn.Module) -> Iterator[list[nn.Parameter]]:
    """Copies of a model's weights but its word embeddings, in place; after an error the old ones.

    Arguments:
        model: a transformers model.
    """
    find: Any = model.get_input_embeddings
    embeddings = find().weight
    old = [parameter for parameter in model.parameters() if parameter is not embeddings]
    new = [nn.Parameter(parameter.detach().clone()) for parameter in old]
    exchange(model, dict(zip(old, new, strict=True)))
    try:
        yield new
    except BaseException:
        exchange(model, dict(zip(new, old, strict=True)))
        raise
