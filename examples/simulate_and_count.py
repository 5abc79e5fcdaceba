"""Run a converted model step by step, count its spikes, and stop it early.

python examples/simulate_and_count.py HuggingFaceTB/SmolLM2-135M-Instruct adapter "Any text."

`adapter` is what examples/convert_a_model.py wrote.
"""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import las
from las.conversion import twin

name, adapter, text = sys.argv[1:]
tokens = AutoTokenizer.from_pretrained(name)(text, return_tensors="pt")
original = AutoModelForCausalLM.from_pretrained(name)
model = las.load(twin(original), adapter)  # on the same weights
original.double()
model.double()  # both paths then agree spike for spike; in float32 rounding moves a few

with torch.no_grad():
    expected = original(**tokens).logits

    def error() -> float:
        """How far the spiking model is from the original, relative to its outputs."""
        return float((model(**tokens).logits - expected).norm() / expected.norm())

    with las.count_spikes(model) as fused:
        print(f"fused path      error {error():.1e}   spikes {fused.spikes:,}")
    with las.simulate(model), las.count_spikes(model) as simulated:
        print(f"step by step    error {error():.1e}   spikes {simulated.spikes:,}")
    print(f"energy by Eq. 25: {las.energy(model, fused).total.ratio:.2f} of the original's")

    for t in (4, 8, 12, 16):
        with las.stop_after(model, t), las.count_spikes(model) as spikes:
            print(f"after {t:2} steps  error {error():.1e}   spikes {spikes.spikes:,}")
