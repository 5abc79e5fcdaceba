"""How many time steps a result takes: T for each stage of neurons in sequence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from las.neurons.tally import SpikeTally

_TOGETHER = (
    ("key", "query"),
    ("value", "query"),
    ("memory.site", "query.site"),
    ("right", "left"),
    ("input", "square"),
    ("up_site", "act_fn.site"),
    ("weight_site", "output_site"),
    ("sigmoid.site", "output_site"),
)
"""Populations of one component that fire in the same stage: the first beside the second."""

_EXPERT = re.compile(r"(?<=\.experts\.)\d+(?=\.)")


@dataclass(frozen=True)
class Latency:
    """Time of one forward pass, in time steps of the neurons.

    Attributes:
        stages: populations of neurons that fire one after the other.
        steps: until the result is there: the sum of T over the stages, since a neuron begins when
            its potential is complete.
        interval: between two results when every stage works on an input of its own: the longest T.
        overlapped: what `steps` would be if a stage could begin one time step after the one before
            it. No neuron here does: both the gate of Eq. 3 and the first threshold want the whole
            potential.
    """

    stages: int
    steps: int
    interval: int
    overlapped: int


def latency(tally: SpikeTally) -> Latency:
    """Derive the stages in sequence from the populations that fired.

    Layers that read the same tensor share one population. Within a component, populations that
    fire side by side are one stage: queries, keys and values; the gate and what it gates; the
    squares of a norm and the input that they normalise. Experts of a block are one chain. All else
    is taken to be in sequence, in encoders, decoders and towers alike, so that branches of a block
    that run side by side, as attention and feed-forward do in GPT-NeoX, count one after the other:
    the number is an upper bound there.
    """
    stages: dict[str, int] = {}
    for name, site in tally.sites.items():
        stage = _EXPERT.sub("*", _stage(name, tally))
        stages[stage] = max(stages.get(stage, 0), site.time_steps)
    longest = max(stages.values(), default=0)
    return Latency(
        stages=len(stages),
        steps=sum(stages.values()),
        interval=longest,
        overlapped=longest + max(0, len(stages) - 1),
    )


def _stage(name: str, tally: SpikeTally) -> str:
    """The name of the population that stands for the stage of this one."""
    for role, beside in _TOGETHER:
        component = name.removesuffix(role)
        other = f"{component}{beside}"
        if component != name and component[-1:] in ("", ".") and other in tally.sites:
            return other
    return name
