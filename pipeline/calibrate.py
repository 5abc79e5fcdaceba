"""Choose the thresholds of every site from the statistics.

python -m pipeline.calibrate model=minilm-l6 neuron=t10h5
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from las.calibration import Statistics, choose_thresholds
from las.files.atomic import atomic_file
from pipeline import paths
from pipeline.neuron import spike_config
from pipeline.paths import Cell


def run(cfg: DictConfig) -> None:
    """Write results/<model>/<neuron>/thresholds.json."""
    cell = Cell.of(cfg)
    statistics = Statistics.load(cell.need(cell.statistics, "collect"))
    thresholds = choose_thresholds(statistics, spike_config(cfg))
    with atomic_file(cell.thresholds) as file:
        thresholds.save(file)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
