"""All stages of one cell in their order, for sweeps of your own.

What is there already is made again only if its configuration, its inputs or the code that makes
it have changed since; a model that came here without a record of how it was trained stays.

python -m pipeline.cell model=minilm-l6 neuron=t10h5
python -m pipeline.cell -m model=minilm-l6 neuron=t8h5,t10h5
python -m pipeline.cell neuron=t16h5 neuron.time_steps=9 neuron.name=t9h5
python -m pipeline.cell model=pythia-12b neuron=none evaluation=zero_shot_full
python -m pipeline.cell -m hydra/launcher=joblib hydra.launcher.n_jobs=2 neuron=t8h5,t10h5
accelerate launch --num_processes 2 -m pipeline.cell evaluation=zero_shot
"""

from __future__ import annotations

from contextlib import nullcontext

import hydra
from omegaconf import DictConfig

from pipeline import collect, convert, evaluate, fetch, head, paths, pretrain
from pipeline.locks import alone
from pipeline.neuron import is_baseline
from pipeline.paths import Cell
from pipeline.progress import told


def run(cfg: DictConfig) -> None:
    """Run the stages that have something to do.

    Cells may run side by side: what two of them need is made by one, and the other waits for it.
    Of the processes of `accelerate launch` the first one makes what is missing, and all evaluate.
    """
    from las.evaluation.processes import Processes

    cell = Cell.of(cfg)
    processes = Processes.launched()
    with processes.in_step():
        processes.first(lambda: _make(cfg, cell))
        lock = alone(cell.root, "evaluate", cell.model, cell.neuron, cell.evaluation)
        with lock if processes.rank == 0 else nullcontext():
            evaluate.run(cfg)


def _make(cfg: DictConfig, cell: Cell) -> None:
    """Bring or make all that evaluation needs."""
    with alone(cell.root, "fetch"):
        fetch.run(cfg)
    with alone(cell.root, "model", cell.model):
        training = head if head.is_head(cfg) else pretrain
        if paths.trained_here(cfg) and (
            not cell.base_model.exists() or training.trained(cfg).path.exists()
        ):
            training.run(cfg)
    if paths.spiking(cfg):
        if not is_baseline(cfg):
            with alone(cell.root, "collect", cell.model):
                collect.run(cfg)
        with alone(cell.root, "convert", cell.model, cell.neuron):
            convert.run(cfg)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the cell."""
    run(cfg)


if __name__ == "__main__":
    told(main)
