"""Two models of one set of weights: the original and the one that is to spike."""

from __future__ import annotations

import copy
from itertools import chain
from typing import TypeVar

from torch import nn

from las.hosts.offload import hooked_modules

Model = TypeVar("Model", bound=nn.Module)


def twin(model: Model) -> Model:
    """A second model of the very parameters and buffers of the first.

    Conversion changes no parameter, so that one of them may be converted and the other may stay:
    together they take the memory of one. Where accelerate keeps weights elsewhere, its hooks serve
    both, one after the other.

    Arguments:
        model: a transformers model, not converted.
    """
    hooks = (module._hf_hook for module in hooked_modules(model).values())
    shared = chain(model.parameters(), model.buffers(), hooks)
    return copy.deepcopy(model, {id(one): one for one in shared})
