"""How the error of a function falls with the number of FS sub-neurons: budgets of many sizes.

python examples/sub_neurons.py        # T = 16
python examples/sub_neurons.py 10

Ranges are those of a language model. Errors are the largest ones on a dense grid: relative for the
reciprocal and the inverse root, whose consumers multiply by them, absolute for the others. N = 1 is
one FS neuron for the whole range, without gates.
"""

import sys

from las.reporting.sub_neurons import TIME_STEPS, sub_neurons

steps = int(sys.argv[1]) if len(sys.argv) > 1 else TIME_STEPS
for one in sub_neurons(steps):
    fits = zip(one.sizes, one.errors, strict=True)
    print(f"{one.function:13s}", "   ".join(f"N={size:<5d}{error:8.1e}" for size, error in fits))
