"""How the error of a function falls with the number of FS sub-neurons: budgets of many sizes.

python examples/sub_neurons.py        # T = 16
python examples/sub_neurons.py 10

Ranges are those of a language model. Errors are the largest ones on a dense grid: relative for the
reciprocal and the inverse root, whose consumers multiply by them, absolute for the others. N = 1 is
one FS neuron for the whole range, without gates.
"""

import sys

from las.fitting import FUNCTIONS, Budget, fit, fit_flat

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 16
RANGES = {
    "gelu": (-10.0, 12.0),
    "silu": (-10.0, 30.0),
    "tanh": (-8.0, 8.0),
    "exp": (-65536.0, 0.0),
    "reciprocal": (1.0, 1024.0),
    "inverse_sqrt": (1e-3, 100.0),
}
ERRORS = 0.1, 0.01, 1e-3, 1e-4, 1e-5


def row(one, relative):
    """N, and the largest error of the kind that counts."""
    return f"N={one.neuron.size:<5d}{one.max_relative_error if relative else one.max_error:8.1e}"


for name, (low, high) in RANGES.items():
    function = FUNCTIONS[name]
    relative = function.budget.absolute == 0
    budgets = [Budget(0, error) if relative else Budget(error, 0) for error in ERRORS]
    fits = [fit_flat(function, low, high, STEPS)]
    fits += [fit(function, low, high, STEPS, budget) for budget in budgets]
    print(f"{name:13s}", "   ".join(row(one, relative) for one in fits))
