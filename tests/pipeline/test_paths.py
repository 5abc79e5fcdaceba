from __future__ import annotations

from pathlib import Path

from pipeline.paths import Cell


def test_a_cell_lies_where_dvc_looks_for_it(composed):
    cell = Cell.of(composed("model=minilm-l6", "neuron=t10h5", "evaluation=similarity"))
    assert cell.base_model == Path("data/models/minilm-l6")
    assert cell.statistics == Path("data/spiking/minilm-l6/statistics.safetensors")
    spiking = Path("data/spiking/minilm-l6/neurons/t10h5")
    assert cell.thresholds == spiking / "thresholds.json"
    assert cell.functions == spiking / "functions.safetensors"
    assert cell.adapter == spiking / "adapter"
    assert cell.scores == Path("results/minilm-l6/t10h5/similarity/evaluation.json")
    assert cell.spikes == Path("results/minilm-l6/t10h5/similarity/spikes.json")
    assert cell.energy == Path("results/minilm-l6/t10h5/similarity/energy.json")
    assert cell.timings == Path("results/minilm-l6/t10h5/similarity/timings.json")
