"""Run the calibration text through the model once and keep the statistics of its activations.

Every component is compared with the module that it replaces; a wrong one ends the stage.

python -m pipeline.collect model=minilm-l6 calibration=texts
"""

from __future__ import annotations

from pathlib import Path

import hydra
from omegaconf import DictConfig

from pipeline import paths
from pipeline.calibration import batches, described
from pipeline.loading import model_and_reader
from pipeline.paths import Cell
from pipeline.records import Record, code_of


def run(cfg: DictConfig) -> None:
    """Write statistics and sample of data/spiking/<model>/, unless they are there as made now."""
    cell = Cell.of(cfg)
    base = cell.need(cell.base_model, paths.model_stage(cfg))
    data = cell.need(paths.assets(cell.root) / cfg.calibration.dataset.name, "fetch")
    record = Record.of(
        [cell.statistics, cell.sample],
        config={"calibration": described(cfg), **paths.how_loaded(cfg)},
        inputs=[base, data],
        code=code_of("collect"),
    )
    if record.holds():
        print(f"{cell.statistics}: made already")
        return
    _collect(cfg, cell, base)
    record.keep()


def _collect(cfg: DictConfig, cell: Cell, base: Path) -> None:
    from las.calibration.sample import one_row, save_sample
    from las.conversion.convert import calibrate
    from las.files.atomic import atomic_file
    from las.hosts.twin import twin

    model, reader = model_and_reader(base, cfg)
    held = batches(cfg, reader)
    statistics, _ = calibrate(twin(model), held)
    save_sample(one_row(held[0]), cell.sample)
    with atomic_file(cell.statistics) as file:
        statistics.save(file)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
