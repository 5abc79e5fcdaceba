"""The config group `neuron` as the library's configuration."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from las import SpikeConfig
from pipeline.paths import spiking


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
    fields = OmegaConf.to_container(cfg.neuron, resolve=True, throw_on_missing=True)
    assert isinstance(fields, dict)
    fields.pop("name")
    return SpikeConfig(**fields)  # type: ignore[arg-type]
