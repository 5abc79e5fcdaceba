"""All stages of one cell in their order, for sweeps of your own; what others share is kept.

python -m pipeline.cell model=minilm-l6 neuron=t10h5
python -m pipeline.cell -m model=minilm-l6 neuron=t8h5,t10h5
python -m pipeline.cell neuron=t16h5 neuron.time_steps=9 neuron.name=t9h5
python -m pipeline.cell model=pythia-12b neuron=none evaluation=zero_shot_full
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from pipeline import calibrate, collect, convert, energy, evaluate, fetch, fit, paths, pretrain
from pipeline.paths import Cell


def run(cfg: DictConfig) -> None:
    """Run the stages; assets and statistics that are there are not made again."""
    cell = Cell.of(cfg)
    fetch.run(cfg)
    if not cell.base_model.exists():
        pretrain.run(cfg)
    if not paths.spiking(cfg):
        evaluate.run(cfg)
        return
    if not cell.statistics.exists():
        collect.run(cfg)
    for stage in (calibrate, fit, convert, evaluate, energy):
        stage.run(cfg)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the cell."""
    run(cfg)


if __name__ == "__main__":
    main()
