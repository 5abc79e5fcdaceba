from __future__ import annotations

import json

import numpy as np
import torch

from las.neurons import HG, Octaves, code_hg
from las.neurons.store import pack, unpack


def test_a_neuron_survives_json_and_arrays() -> None:
    for negative, positive in (
        (Octaves(-2, (1,), silent_beyond=True), Octaves(-3, (0, 2))),
        (Octaves(-2, (1,)), None),
        (None, Octaves(0)),
        (None, Octaves(1, start=-0.75)),
    ):
        size = sum(
            1 + sum(2**split for split in side.splits)
            for side in (negative, positive)
            if side is not None
        )
        rng = np.random.default_rng(0)
        neuron = HG("silu", 9, negative, positive, rng.random(size), rng.random(size), -1.0, 2.0)
        data, arrays = pack(neuron)
        again = unpack(json.loads(json.dumps(data)), arrays)
        x = torch.linspace(-3, 3, 500, dtype=torch.float64)
        assert torch.equal(code_hg(x, neuron).value, code_hg(x, again).value)
        assert (again.function, again.time_steps, again.low, again.high) == ("silu", 9, -1.0, 2.0)
        assert (again.negative, again.positive) == (negative, positive)
