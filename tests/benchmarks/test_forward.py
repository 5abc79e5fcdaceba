"""The benchmark runs on any model and its adapter."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import las

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "forward.py"


def test_it_prints_ratios(llama, make_batches, tmp_path):
    copy.deepcopy(llama).save_pretrained(tmp_path / "model")
    las.save(las.convert(llama, make_batches()), tmp_path / "adapter")
    command = [sys.executable, str(SCRIPT), str(tmp_path / "model"), str(tmp_path / "adapter")]
    command += ["--tokens", "16", "--repeats", "1", "--threads", "1"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(result.stdout)
    assert figures["time_ratio"] > 0
    assert figures["time_ratio_counting"] > 0
    peaks = figures["snn_peak_mib"] / figures["ann_peak_mib"]
    assert abs(figures["memory_ratio"] - peaks) < 0.01
