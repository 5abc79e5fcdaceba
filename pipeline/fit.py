"""Fit the HG neurons of every non-linear function over the ranges that were measured.

python -m pipeline.fit model=minilm-l6 neuron=t10h5
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from las.calibration import Statistics
from las.files.atomic import atomic_file
from las.fitting import fit_functions
from pipeline import paths
from pipeline.neuron import spike_config
from pipeline.paths import Cell


def run(cfg: DictConfig) -> None:
    """Write results/<model>/<neuron>/functions.safetensors."""
    cell = Cell.of(cfg)
    statistics = Statistics.load(cell.need(cell.statistics, "collect"))
    functions = fit_functions(statistics, spike_config(cfg))
    with atomic_file(cell.functions) as file:
        functions.save(file)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
