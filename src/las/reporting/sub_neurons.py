"""How the error of a function falls with the number of FS sub-neurons: fits of many sizes."""

from __future__ import annotations

from dataclasses import dataclass

from las.fitting import FUNCTIONS, Budget, fit, fit_flat

TIME_STEPS = 16
RANGES = {
    "gelu": (-10.0, 12.0),
    "silu": (-10.0, 30.0),
    "tanh": (-8.0, 8.0),
    "exp": (-65536.0, 0.0),
    "reciprocal": (1.0, 1024.0),
    "inverse_sqrt": (1e-3, 100.0),
}
"""Those of a language model."""
ERRORS = 0.1, 0.01, 1e-3, 1e-4, 1e-5
"""What is asked for."""


@dataclass(frozen=True)
class SubNeurons:
    """Fits of one function.

    Attributes:
        function: its name in `las.fitting.FUNCTIONS`.
        relative: whether errors are relative, as consumers multiply by what it gives.
        sizes: N, the number of sub-neurons; the first is one FS neuron without gates.
        errors: the largest on a dense grid, for each N.
    """

    function: str
    relative: bool
    sizes: tuple[int, ...]
    errors: tuple[float, ...]


def sub_neurons(time_steps: int = TIME_STEPS) -> list[SubNeurons]:
    """Fit every function with one neuron for its range, and within each error budget."""
    return [_fits(name, low, high, time_steps) for name, (low, high) in RANGES.items()]


def _fits(name: str, low: float, high: float, time_steps: int) -> SubNeurons:
    function = FUNCTIONS[name]
    relative = function.budget.absolute == 0
    budgets = [Budget(0, error) if relative else Budget(error, 0) for error in ERRORS]
    fits = [fit_flat(function, low, high, time_steps)]
    fits += [fit(function, low, high, time_steps, budget) for budget in budgets]
    return SubNeurons(
        function=name,
        relative=relative,
        sizes=tuple(one.neuron.size for one in fits),
        errors=tuple(one.max_relative_error if relative else one.max_error for one in fits),
    )
