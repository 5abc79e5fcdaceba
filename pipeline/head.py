"""Train a GLUE head on a training split of yours; an interrupted run goes on.

python -m pipeline.head model=minilm-mrpc source=directory source.directory=/your/files
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import fetch, paths
from pipeline.paths import Cell
from pipeline.records import Record

CODE = (
    "pipeline/head.py",
    "src/las/data",
    "src/las/heads",
    "src/las/hosts/processor.py",
    "src/las/pretraining/train.py",
    "src/las/splits",
)
"""The sources that make a head. It is no stage of the published grid, so dvc.yaml lists none."""


def is_head(cfg: DictConfig) -> bool:
    """Say whether the model is trained here, on the user's data, not by pipeline.pretrain."""
    return "pretraining" in cfg.model and cfg.model.pretraining.task == "glue_head"


def run(cfg: DictConfig) -> None:
    """Write data/models/<model>, unless it is there as it would be made."""
    cell = Cell.of(cfg)
    record = trained(cfg)
    if record.holds():
        print(f"{cell.base_model}: made already")
        return

    from las.files.atomic import atomic_directory
    from las.files.contents import keep_checksums
    from las.heads import train_head
    from las.pretraining.train import Recipe
    from las.splits import read_split

    config = _configuration(cfg)
    parts = train_head(
        _base(cfg, cell).resolve(),
        read_split(cfg.model.glue.task, _data(cfg, cell), "train"),
        Recipe(**config["recipe"]),
        cell.checkpoints,
        task=cfg.model.glue.task,
        max_length=config["max_length"],
    )
    with atomic_directory(cell.base_model) as partial:
        for part in parts:
            part.save_pretrained(partial)
        keep_checksums(partial)
    shutil.rmtree(cell.checkpoints, ignore_errors=True)
    record.keep()
    print(f"{cell.model}: {cell.base_model}")


def trained(cfg: DictConfig) -> Record:
    """The record of the model; what training needs is there.

    Raises:
        ValueError: the model is trained in another way, or fetched.
    """
    cell = Cell.of(cfg)
    if not is_head(cfg):
        raise ValueError(
            f"conf/model/{cell.model}.yaml describes no GLUE head. Make the model with "
            f"python -m pipeline.{paths.model_stage(cfg)} model={cell.model}"
        )
    inputs = [_data(cfg, cell), _base(cfg, cell)]
    return Record.of([cell.base_model], config=_configuration(cfg), inputs=inputs, code=CODE)


def _configuration(cfg: DictConfig) -> dict[str, Any]:
    """The section, without where its data and its base model come from."""
    config: Any = OmegaConf.to_container(cfg.model.pretraining, resolve=True, throw_on_missing=True)
    return {name: config[name] for name in config if name not in ("dataset", "base")}


def _data(cfg: DictConfig, cell: Cell) -> Path:
    return cell.need(paths.assets(cell.root) / cfg.model.pretraining.dataset.name, "fetch")


def _base(cfg: DictConfig, cell: Cell) -> Path:
    return cell.need(paths.models(cell.root) / cfg.model.pretraining.base.name, "fetch")


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Fetch what is missing, and run the stage."""
    fetch.run(cfg)
    run(cfg)


if __name__ == "__main__":
    main()
