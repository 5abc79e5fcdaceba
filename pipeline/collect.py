"""Run the calibration text through the model once and keep the statistics of its activations.

python -m pipeline.collect model=minilm-l6 calibration=texts
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from pipeline import paths
from pipeline.paths import Cell


def run(cfg: DictConfig) -> None:
    """Write results/<model>/statistics.safetensors."""
    cell = Cell.of(cfg)
    base = cell.need(cell.base_model, paths.model_stage(cfg))
    data_root = paths.assets(cell.root)
    cell.need(data_root / cfg.calibration.dataset.name, "fetch")

    from las.calibration import collect
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
