"""See which neurons break when T shrinks: thresholds of the released code, of the paper, and ours.

python examples/why_ten_steps_break.py sentence-transformers/all-MiniLM-L6-v2 text.txt

The paragraphs of the text calibrate and measure in turn. A site's error is that of its own spikes
on exact inputs, relative to what it should give; the output's that of all of them together.
"""

import sys
from collections import defaultdict
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

import las
from las.components.running import observing
from las.conversion import twin
from las.conversion.choose import choose_neurons
from las.conversion.convert import calibrate
from las.fitting import fit_functions

STEPS = 16, 13, 12, 11, 10, 8
RULES = {"released": "floor", "paper": "floor", "error": "nearest"}
PARAGRAPHS, TOKENS, WORST = 64, 256, 3

name, text = sys.argv[1:]
original = AutoModel.from_pretrained(name, dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(name)
parts = [part for part in Path(text).read_text().split("\n\n") if part.strip()][:PARAGRAPHS]
batches = [
    dict(tokenizer(part, return_tensors="pt", truncation=True, max_length=TOKENS)) for part in parts
]
calibration, measured = batches[::2], batches[1::2]


class SiteErrors:
    """Codes what every site is given, passes the exact values on, and adds up squares."""

    def __init__(self):
        self.wrong, self.right = defaultdict(float), defaultdict(float)

    def observe(self, site, x, importance):
        """Called with what each site is given."""
        given, exact = site.fused(x)[0], site.exact(x)
        self.wrong[site.name] += float((given - exact).square().sum())
        self.right[site.name] += float(exact.square().sum())
        return x

    def worst(self):
        """The sites with the largest relative errors."""
        errors = {one: (self.wrong[one] / self.right[one]) ** 0.5 for one in self.wrong}
        return sorted(errors.items(), key=lambda item: -item[1])[:WORST]


model = twin(original)
statistics, _ = calibrate(model, calibration)
for steps in STEPS:
    functions = fit_functions(statistics, las.SpikeConfig(steps))
    for rule, rounding in RULES.items():
        config = las.SpikeConfig(steps, threshold_rule=rule, rounding=rounding)
        choose_neurons(model, statistics, functions, None, config)
        sites, wrong, right = SiteErrors(), 0.0, 0.0
        with torch.no_grad():
            for batch in measured:
                with observing(model, sites):
                    expected = model(**batch)[0]
                wrong += float((model(**batch)[0] - expected).square().sum())
                right += float(expected.square().sum())
        worst = ", ".join(f"{site} {error:.1e}" for site, error in sites.worst())
        print(f"T={steps:2}  {rule:8}  output {(wrong / right) ** 0.5:.1e}   worst sites: {worst}")
