"""Train a model whose config has a section `pretraining`; an interrupted run goes on.

python -m pipeline.pretrain model=gpt2-wiki
"""

from __future__ import annotations

from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import paths
from pipeline.paths import Cell
from pipeline.records import Record, code_of


def run(cfg: DictConfig) -> None:
    """Write data/models/<model>, unless it is there as it would be made."""
    cell = Cell.of(cfg)
    record = trained(cfg)
    if record.holds():
        print(f"{cell.base_model}: made already")
        return

    from las.pretraining.pretrain import pretrain

    config = _configuration(cfg)
    if "base" in cfg.model.pretraining:
        config["encoder"] = _base(cfg, cell).resolve()
    pretrain(config, paths.assets(cell.root), cell.base_model, cell.checkpoints)
    record.keep()
    print(f"{cell.model}: {cell.base_model}")


def trained(cfg: DictConfig) -> Record:
    """The record of the model; what training needs is there."""
    cell = Cell.of(cfg)
    if not paths.trained_here(cfg):
        raise ValueError(
            f"conf/model/{cell.model}.yaml has no section `pretraining`. Fetch the model instead: "
            f"python -m pipeline.fetch only=model model={cell.model}"
        )
    data = paths.assets(cell.root) / cfg.model.pretraining.dataset.name
    inputs = [cell.need(data, "fetch")]
    stage = "pretrain"
    if "base" in cfg.model.pretraining:
        inputs.append(_base(cfg, cell))
        stage = "fine_tune"
    return Record.of(
        [cell.base_model], config=_configuration(cfg), inputs=inputs, code=code_of(stage)
    )


def _configuration(cfg: DictConfig) -> dict[str, Any]:
    """The section, without where its data and its base model come from."""
    config: Any = OmegaConf.to_container(cfg.model.pretraining, resolve=True, throw_on_missing=True)
    return {name: config[name] for name in config if name not in ("dataset", "base")}


def _base(cfg: DictConfig, cell: Cell) -> Any:
    return cell.need(paths.models(cell.root) / cfg.model.pretraining.base.name, "fetch")


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
