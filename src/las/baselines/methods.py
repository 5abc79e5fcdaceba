"""Published conversions, each as one small config of the runner over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from las.baselines.neurons import (
    STBIF,
    Burst,
    IntegrateAndFire,
    MultiThreshold,
    Neuron,
    OffsetSpike,
    Phase,
    ResidualPotential,
)
from las.options import one_of, shown, whole_number

Time = Literal["instantaneous", "expectation", "difference", "layerwise"]
Sites = Literal["ffn", "linear"]
Thresholds = Literal["error", "quantile", "maximum"]
Granularity = Literal["channel", "tensor"]

LONGEST = 1024
"""T is at most this."""


@dataclass(frozen=True)
class Method:
    """How a published conversion makes a network spike.

    Attributes:
        neuron: what fires; see `las.baselines.neurons`.
        time: how the network runs over T time steps.
            "instantaneous": each operation reads what the one before emits at that time step, and
            the outputs are averaged.
            "expectation": a non-linear operation f emits t f(mean_t) - (t - 1) f(mean_(t-1)), so
            that its outputs have the mean f(mean_t) at each t (expectation compensation, ECMT).
            "difference": f emits f(X_t) - f(X_(t-1)), X_t the sum of its inputs so far, and the
            input of the network arrives at t = 1 (SpikeZIP-TF).
            "layerwise": each layer waits until the one before has emitted all of its T time steps.
        sites: which inputs spike: those of the layers that read an activation function, as in
            feed-forward networks ("ffn"), or those of all linear layers ("linear").
        thresholds: "error", the least squared error of clipping and rounding; "quantile", which
            99 % of the magnitudes do not exceed; "maximum", the largest magnitude.
        per: whether each channel has a threshold, or the whole tensor has one.
        time_steps: T.

    Raises:
        ValueError: an option of a wrong kind, or T out of range.
    """

    neuron: Neuron[Any]
    time: Time
    sites: Sites
    thresholds: Thresholds
    per: Granularity
    time_steps: int

    def __post_init__(self) -> None:
        if not isinstance(self.neuron, Neuron):
            raise ValueError(
                f"neuron must be one of las.baselines.neurons, got {shown(self.neuron)}"
            )
        one_of("time", self.time, Time)
        one_of("sites", self.sites, Sites)
        one_of("thresholds", self.thresholds, Thresholds)
        one_of("per", self.per, Granularity)
        steps = whole_number("time_steps, T,", self.time_steps, 1, LONGEST)
        object.__setattr__(self, "time_steps", steps)


METHODS: Mapping[str, Method] = {
    "qcfs": Method(IntegrateAndFire(), "expectation", "linear", "error", "channel", 16),
    "srp": Method(ResidualPotential(), "expectation", "linear", "error", "channel", 16),
    "cos": Method(OffsetSpike(), "expectation", "linear", "error", "channel", 16),
    "fas": Method(IntegrateAndFire(), "instantaneous", "ffn", "error", "channel", 8),
    "spikezip-tf": Method(STBIF(), "difference", "linear", "error", "channel", 32),
    "ecmt": Method(MultiThreshold(), "expectation", "linear", "quantile", "tensor", 8),
    "sta": Method(Burst(), "expectation", "linear", "error", "channel", 32),
    "spikedattention": Method(Phase(1.4), "layerwise", "linear", "maximum", "tensor", 16),
}
"""What each keeps of its paper, and what we had to choose, is in docs/baselines.md."""


def method_of(method: str | Method, time_steps: int | None = None) -> Method:
    """A method by its name, or as it is, with another T if one is given.

    Raises:
        ValueError: there is no such method, or T is out of range.
    """
    if isinstance(method, str) and method in METHODS:
        method = METHODS[method]
    if not isinstance(method, Method):
        raise ValueError(
            f"method must be one of {', '.join(METHODS)}, or a las.baselines.Method, "
            f"got {shown(method)}"
        )
    return method if time_steps is None else replace(method, time_steps=time_steps)
