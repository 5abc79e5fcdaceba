"""The config group `neuron` as the library's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from pipeline.paths import spiking

if TYPE_CHECKING:
    from las.config import SpikeConfig


def spike_config(cfg: DictConfig) -> SpikeConfig:
    """Return the `SpikeConfig` of a cell; `name` is the pipeline's own.

    Raises:
        ValueError: The cell has no spiking model.
    """
    if not spiking(cfg):
        raise ValueError(
            f"neuron={cfg.neuron.name} has no spiking model; only pipeline.fetch,"
            " pipeline.pretrain and pipeline.evaluate (or pipeline.cell) run with it"
        )
    from las.config import SpikeConfig

    fields = OmegaConf.to_container(cfg.neuron, resolve=True, throw_on_missing=True)
    assert isinstance(fields, dict)
    fields.pop("name")
    return SpikeConfig(**fields)  # type: ignore[arg-type]
