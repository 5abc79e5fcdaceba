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
    base = cell.need(cell.base_model, "fetch")
    data_root = paths.assets(cell.root)
    cell.need(data_root / cfg.calibration.dataset.name, "fetch")

    from las.calibration import collect
    from las.conversion.prepare import prepare
    from las.data.calibration import calibration_texts, calibration_windows
    from pipeline.loading import load_model, load_tokenizer

    forms = {"windows": calibration_windows, "texts": calibration_texts}
    batches = forms[cfg.calibration.form](
        data_root / cfg.calibration.dump,
        load_tokenizer(base),
        count=cfg.calibration.count,
        length=cfg.calibration.length,
        batch_size=cfg.calibration.batch_size,
    )
    statistics = collect(prepare(load_model(base, cfg)), list(batches))
    with paths.written_whole(cell.statistics) as file:
        statistics.save(file)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
