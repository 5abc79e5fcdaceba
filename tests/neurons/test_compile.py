"""Compiling is said once, and where the code is cached already, not at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import torch
from las.neurons.fused import code_oat
from las.neurons.oat import OAT

neuron = OAT((1.0, 8.0), (1.5,), 4, 5)
code_oat(torch.ones(3), neuron)
code_oat(torch.ones(3, dtype=torch.float64), neuron)
"""


@pytest.mark.slow
def test_compiling_is_said_once(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def run() -> str:
        command = [sys.executable, "-c", CODE]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stderr

    assert run().count("las: compiling its kernels") == 1
    assert "compiling" not in run()
