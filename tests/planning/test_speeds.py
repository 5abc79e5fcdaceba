from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from las.config import SpikeConfig
from las.planning import machine, speeds
from las.planning.cards import CARDS
from las.planning.speeds import NeuronSpeed, add, measured_on, read, shipped

H200 = NeuronSpeed("NVIDIA H200", 16, 5, 4e-12, 6e-12, "2026-12-01")


def record(folder: Path, gpu: str | None = "NVIDIA H200", **case: Any) -> Path:
    """What the benchmarks write."""
    measured = {"series": {"oat": [4e-12], "hg": [6e-12]}, "unmeasured": None}
    measured |= {"name": "neurons", "parameters": {"time_steps": 16, "levels": 5}} | case
    file = folder / "gpu.json"
    environment = {"gpu": gpu, "date": "2026-12-01T10:00:00+00:00"}
    file.write_text(json.dumps({"environment": environment, "cases": [measured]}))
    return file


def test_a_record_of_the_benchmarks_tells_how_fast_neurons_are(tmp_path: Path) -> None:
    assert read(record(tmp_path)) == H200


@pytest.mark.parametrize("change", [{"gpu": None}, {"series": {}}, {"name": "1 x 512"}])
def test_a_record_without_neurons_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="run `python -m benchmarks --only gpu`"):
        read(record(tmp_path, **change))


def test_a_later_measurement_takes_the_place_of_one_of_the_same_gpu() -> None:
    other = NeuronSpeed("NVIDIA A100", 16, 5, 9e-12, 9e-12, "2026-12-01")
    later = NeuronSpeed("NVIDIA H200", 16, 5, 3e-12, 5e-12, "2027-01-01")
    assert add(later, add(other, [H200])) == [other, later]


def test_what_was_measured_holds_for_that_gpu_and_those_neurons() -> None:
    assert measured_on("H200", SpikeConfig(), [H200]) == H200
    assert measured_on("H100", SpikeConfig(), [H200]) is None
    assert measured_on("H200", SpikeConfig(time_steps=8), [H200]) is None


def test_a_plan_for_a_gpu_by_name_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speeds, "shipped", lambda: [H200])
    planned = machine.speed(SpikeConfig(), torch.bfloat16, None, card=CARDS["H200"])
    assert (planned.flops, planned.oat, planned.hg) == (989e12, 4e-12, 6e-12)
    assert "neurons as measured on NVIDIA H200 (2026-12-01)" in planned.source
    given = machine.speed(SpikeConfig(), torch.bfloat16, None, neurons=1e9, card=CARDS["H200"])
    assert given.oat == 1e-9
    unknown = machine.speed(SpikeConfig(), torch.bfloat16, None, card=CARDS["3090"])
    assert unknown.oat is None


def test_the_shipped_speeds_are_of_gpus_that_can_be_named() -> None:
    for one in shipped():
        assert any(name in one.gpu for name in CARDS)
