"""Run the calibration text through the model once and keep the statistics of its activations.

python -m pipeline.collect model=minilm-l6 calibration=texts
"""

from __future__ import annotations

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import paths
from pipeline.paths import Cell
from pipeline.records import Record, code_of


def run(cfg: DictConfig) -> None:
    """Write data/spiking/<model>/statistics.safetensors, unless it is there as it would be made."""
    cell = Cell.of(cfg)
    base = cell.need(cell.base_model, paths.model_stage(cfg))
    data_root = paths.assets(cell.root)
    data = cell.need(data_root / cfg.calibration.dataset.name, "fetch")
    record = Record.of(
        [cell.statistics],
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
    from las.calibration.collect import collect
    from las.conversion.prepare import prepare
    from las.data.calibration import calibration_questions, calibration_texts, calibration_windows
    from las.files.atomic import atomic_file
    from pipeline.loading import load_model, load_reader

    forms = {
        "windows": (calibration_windows, "dump", ("count", "length", "batch_size")),
        "texts": (calibration_texts, "dump", ("count", "length", "batch_size")),
        "questions": (calibration_questions, "directory", ("count", "batch_size")),
    }
    make_batches, source, sizes = forms[cfg.calibration.form]
    batches = make_batches(  # type: ignore[operator]
        data_root / cfg.calibration[source],
        load_reader(base, cfg.model.kind),
        **{name: cfg.calibration[name] for name in sizes},
    )
    statistics = collect(prepare(load_model(base, cfg)), list(batches))
    with atomic_file(cell.statistics) as file:
        statistics.save(file)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
