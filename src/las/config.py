"""The options of a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from las.options import finite_number, instance_of, one_of, shown, whole_number

ThresholdRule = Literal["error", "percentile", "paper", "released"]
Attention = Literal["equivalent", "naive"]
Functions = Literal["hierarchical", "flat"]
Vision = Literal["spiking", "analog"]
Rounding = Literal["nearest", "half_step", "floor", "signed"]

MAX_TIME_STEPS = 32
MAX_LEVELS = 16
MAX_BANDS = 8


def check_steps(time_steps: int, levels: int, rounding: str) -> None:
    """Raise ValueError unless 1 <= T <= 32, 1 <= H <= 16 and the rounding is known."""
    whole_number("time_steps (T)", time_steps, 1, MAX_TIME_STEPS)
    whole_number("levels (H)", levels, 1, MAX_LEVELS)
    one_of("rounding", rounding, Rounding)


_USUAL: Any = object()
"""Stands for an option that was not given."""

_DEFAULTS = {"time_steps": 16, "levels": 5, "bands": 2, "rounding": "nearest"}
_FRUGAL = {"time_steps": 24, "levels": 16, "bands": 3, "rounding": "signed"}
_OF_FUNCTIONS = 16


@dataclass(frozen=True)
class SpikeConfig:
    """How a model is to spike.

    Numbers may be those of NumPy or torch, and mappings those of OmegaConf.

    With a budget, neurons are frugal: each site gets the T and the thresholds with which the whole
    model spikes least, within the loss that is allowed. T is then the most that a site may have, 24
    by default, which one band is enough for; at smaller T, sites whose values lie too far apart get
    as many as `bands`, 3 by default. H is 16 and rounding "signed".

    Attributes:
        time_steps: T, 1 to 32; 16 by default.
        levels: H, 1 to 16; 5 by default.
        bands: MT sub-neurons of each OAT neuron, 1 to 8: 2 by default and in the paper; 1 is a
            single MT neuron. With a budget, the most that a site may have.
        rounding: "nearest" by default, "half_step", "floor" (Eq. 7) or "signed", see
            `las.neurons.MT`.
        threshold_rule: "error" minimises the squared error that the consumer of each site sees;
            "paper" sets theta_nor and theta_out as the paper describes them, with the 99th
            percentile and 1.1 times the maximum where it names no rule; "released" takes the
            magnitudes of the literals in the paper's released code; "percentile" fills the bands to
            the 99th and the 99.9th percentile and lets what is larger saturate, as quantisation
            often does. These three know two bands only.
        attention: "equivalent" multiplies in attention as Eq. 12 does. "naive" multiplies spikes of
            the same time step only, without its cross terms: the ablation of Section 5.5, which
            loses about half of each product, for T times the work.
        functions: "hierarchical" fits as many FS sub-neurons to a function as its error budget
            needs. "flat" fits one FS neuron of T steps to the whole of its calibrated range, see
            `las.fitting.fit_flat`: the ablation of HG's hierarchy, which ruins most models.
        margin: the largest representable value over the largest one seen in calibration.
        budgets: error budgets [absolute, relative] of HG functions, where the defaults of
            `las.fitting.functions` do not suit: finite, none below 0, and not both 0.
        budget: the loss that spikes may cost the model, e.g. 4e-4; None for neurons that are alike
            at all sites. Of a model with logits it is the Kullback-Leibler divergence of the
            original's predictions from the spiking model's, in nats for each token (for language
            models perplexity then grows by less than about 100 sqrt(2 budget) per cent); of others
            the squared error of the output, relative to its square.
        vision: whether the vision tower of a vision-language model spikes; "analog" leaves it as
            it is, as the paper leaves LLaVA's. Models without one do not care.

    Raises:
        ValueError: an option of another kind, or out of range.
    """

    time_steps: int = _USUAL
    levels: int = _USUAL
    bands: int = _USUAL
    rounding: Rounding = _USUAL
    threshold_rule: ThresholdRule = "error"
    attention: Attention = "equivalent"
    functions: Functions = "hierarchical"
    margin: float = 2.0
    budgets: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    vision: Vision = "spiking"
    budget: float | None = None

    def __post_init__(self) -> None:
        usual = _DEFAULTS if self.budget is None else _FRUGAL
        for name, value in usual.items():
            if getattr(self, name) is _USUAL:
                object.__setattr__(self, name, value)
        plain = {
            "time_steps": whole_number("time_steps (T)", self.time_steps, 1, MAX_TIME_STEPS),
            "levels": whole_number("levels (H)", self.levels, 1, MAX_LEVELS),
            "bands": whole_number("bands", self.bands, 1, MAX_BANDS),
            "rounding": one_of("rounding", self.rounding, Rounding),
            "threshold_rule": one_of("threshold_rule", self.threshold_rule, ThresholdRule),
            "attention": one_of("attention", self.attention, Attention),
            "functions": one_of("functions", self.functions, Functions),
            "margin": finite_number("margin", self.margin, 1),
            "budgets": _budgets(self.budgets),
            "vision": one_of("vision", self.vision, Vision),
            "budget": None if self.budget is None else finite_number("budget", self.budget, 0),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        if self.threshold_rule != "error" and self.bands != 2:
            raise ValueError(
                f"threshold_rule {self.threshold_rule!r} knows 2 bands, got {self.bands}"
            )
        if self.functions == "flat" and self.budgets:
            raise ValueError(
                f"functions 'flat' have one FS neuron whatever its error, got {len(self.budgets)} "
                "budgets: leave out one of the two"
            )
        if self.budget is not None:
            self._check_budget()

    @property
    def function_steps(self) -> int:
        """T of HG neurons."""
        return self.time_steps if self.budget is None else min(self.time_steps, _OF_FUNCTIONS)

    def _check_budget(self) -> None:
        """Raise ValueError if the budget is 0 or other options do not go with it."""
        if not self.budget:
            raise ValueError(
                f"budget must be more than 0, got {shown(self.budget)}: without a budget, neurons "
                "lose nothing"
            )
        wanted_of = {
            "rounding": _FRUGAL["rounding"],
            "threshold_rule": "error",
            "attention": "equivalent",
            "functions": "hierarchical",
        }
        for name, wanted in wanted_of.items():
            if getattr(self, name) != wanted:
                raise ValueError(
                    f"with a budget, {name} is {wanted!r}, got {getattr(self, name)!r}"
                )


def config_or_default(given: SpikeConfig | None) -> SpikeConfig:
    """The config that was given, or the defaults for None.

    Raises:
        ValueError: it is something else.
    """
    if given is None:
        return SpikeConfig()
    return instance_of("config", given, SpikeConfig, "las.SpikeConfig(**options) makes one")


def _budgets(given: Any) -> dict[str, tuple[float, float]]:
    """Budgets in plain Python.

    Raises:
        ValueError: they are of another form.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"budgets must map functions to [absolute, relative], got {shown(given)}")
    budgets = {}
    for name, pair in given.items():
        try:
            absolute, relative = pair
        except (TypeError, ValueError):
            raise ValueError(
                f"budgets[{name!r}] must be [absolute, relative], got {shown(pair)}"
            ) from None
        both = f"both numbers of budgets[{name!r}]"
        allowed = finite_number(both, absolute, 0), finite_number(both, relative, 0)
        if not any(allowed):
            raise ValueError(
                f"budgets[{name!r}] must allow an error above 0, absolute or relative, got two "
                "zeros: what T steps code is never exact"
            )
        budgets[str(name)] = allowed
    return budgets
