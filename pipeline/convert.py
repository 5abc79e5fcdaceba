"""Put thresholds and fitted functions together into an adapter that las.load takes.

python -m pipeline.convert model=minilm-l6 neuron=t10h5
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from las.calibration import Statistics, Thresholds
from las.conversion.adapter import write_adapter
from las.conversion.state import assemble
from las.files.atomic import atomic_directory
from las.fitting import FittedFunctions
from pipeline import paths
from pipeline.neuron import spike_config
from pipeline.paths import Cell


def run(cfg: DictConfig) -> None:
    """Write results/<model>/<neuron>/adapter/."""
    cell = Cell.of(cfg)
    statistics = Statistics.load(cell.need(cell.statistics, "collect"))
    thresholds = Thresholds.load(cell.need(cell.thresholds, "calibrate"))
    functions = FittedFunctions.load(cell.need(cell.functions, "fit"))
    adapter = assemble(statistics, thresholds, functions, spike_config(cfg))
    with atomic_directory(cell.adapter) as folder:
        write_adapter(folder, adapter)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
