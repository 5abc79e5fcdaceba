"""Run the calibration text through the model once and keep the statistics of its activations.

Every component is compared with the module that it replaces; a wrong one ends the stage.

python -m pipeline.collect model=minilm-l6 calibration=texts
"""

from __future__ import annotations

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import paths
from pipeline.loading import model_and_reader
from pipeline.paths import Cell
from pipeline.records import Record, code_of


def run(cfg: DictConfig) -> None:
    """Write statistics and sample of data/spiking/<model>/, unless they are there as made now."""
    cell = Cell.of(cfg)
    base = cell.need(cell.base_model, paths.model_stage(cfg))
    data_root = paths.assets(cell.root)
    data = cell.need(data_root / cfg.calibration.dataset.name, "fetch")
    record = Record.of(
        [cell.statistics, cell.sample],
        config=_configuration(cfg),
        inputs=[base, data],
        code=code_of("collect"),
    )
    if record.holds():
        print(f"{cell.statistics}: made already")
        return
    _collect(cfg, cell, base, data_root)
    record.keep()


def _configuration(cfg: DictConfig) -> dict[str, object]:
    calibration = OmegaConf.to_container(cfg.calibration, resolve=True)
    assert isinstance(calibration, dict)
    calibration.pop("dataset")  # where it comes from; what it holds is an input
    return {"calibration": calibration, **paths.how_loaded(cfg)}


def _collect(cfg: DictConfig, cell: Cell, base: Path, data_root: Path) -> None:
    from las.calibration.sample import one_row, save_sample
    from las.conversion.convert import calibrate
    from las.data.calibration import calibration_questions, calibration_texts, calibration_windows
    from las.files.atomic import atomic_file
    from las.hosts.twin import twin

    forms = {
        "windows": (calibration_windows, "dump", ("count", "length", "batch_size")),
        "texts": (calibration_texts, "dump", ("count", "length", "batch_size")),
        "questions": (calibration_questions, "directory", ("count", "batch_size")),
    }
    make_batches, source, sizes = forms[cfg.calibration.form]
    model, reader = model_and_reader(base, cfg)
    batches = make_batches(  # type: ignore[operator]
        data_root / cfg.calibration[source],
        reader,
        **{name: cfg.calibration[name] for name in sizes},
    )
    held = list(batches)
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
