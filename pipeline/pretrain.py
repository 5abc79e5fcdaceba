"""Train a model whose config has a section `pretraining`; an interrupted run goes on.

python -m pipeline.pretrain model=gpt2-wiki
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import paths
from pipeline.paths import Cell


def run(cfg: DictConfig) -> None:
    """Write data/models/<model>."""
    cell = Cell.of(cfg)
    if not paths.trained_here(cfg):
        raise ValueError(
            f"conf/model/{cell.model}.yaml has no section `pretraining`. Fetch the model instead: "
            f"python -m pipeline.fetch only=model model={cell.model}"
        )
    data_root = paths.assets(cell.root)
    cell.need(data_root / cfg.model.pretraining.dataset.name, "fetch")

    from las.pretraining.pretrain import pretrain

    config = OmegaConf.to_container(cfg.model.pretraining, resolve=True, throw_on_missing=True)
    assert isinstance(config, dict)
    config.pop("dataset")
    if base := config.pop("base", None):
        config["encoder"] = cell.need(paths.models(cell.root) / base["name"], "fetch").resolve()
    pretrain(config, data_root, cell.base_model, cell.checkpoints)  # type: ignore[arg-type]
    print(f"{cell.model}: {cell.base_model}")


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
