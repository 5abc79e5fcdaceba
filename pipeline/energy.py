"""Estimate the energy of the spiking model and of the original from the spikes counted.

This is the last stage of a cell, so it also logs the cell to the tracker: scores, spikes, energy.

python -m pipeline.energy model=minilm-l6 neuron=t10h5 evaluation=similarity
"""

from __future__ import annotations

import json

import hydra
from omegaconf import DictConfig

from las.energy.cost_model import COST_MODELS
from las.energy.estimate import estimate
from las.files.atomic import atomic_file
from las.neurons.tally import SpikeTally
from pipeline import paths
from pipeline.paths import Cell
from pipeline.tracking import tracked_cell


def run(cfg: DictConfig) -> None:
    """Write energy.json below results/<model>/<neuron>/<evaluation>/."""
    cell = Cell.of(cfg)
    scores = json.loads(cell.need(cell.scores, "evaluate").read_text())["scores"]
    spikes = SpikeTally.from_dict(json.loads(cell.need(cell.spikes, "evaluate").read_text()))
    report = estimate(spikes, COST_MODELS[cfg.energy.name])
    with atomic_file(cell.energy) as file:
        file.write_text(json.dumps(report.to_dict(), indent=1) + "\n")
    with tracked_cell(cfg, cell) as tracker:
        tracker.log_scores(scores)
        tracker.log_spikes(spikes)
        tracker.log_energy(report)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
