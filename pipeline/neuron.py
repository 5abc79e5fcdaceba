"""The config group `neuron` as the library's configuration."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from pipeline.paths import spiking

if TYPE_CHECKING:
    from las.config import SpikeConfig


def is_baseline(cfg: DictConfig) -> bool:
    """Say whether the neurons of a cell are those of a published conversion, not of LAS."""
    return cfg.neuron.get("method") is not None


def is_tuned(cfg: DictConfig) -> bool:
    """Say whether the model is trained for its neurons before they are put in."""
    return cfg.neuron.get("tuning") is not None


def neuron_fields(cfg: DictConfig) -> dict[str, Any] | None:
    """What is said of the neurons beside scores; None where there are none."""
    if not spiking(cfg):
        return None
    if is_baseline(cfg):
        fields = {"method": cfg.neuron.method, "time_steps": cfg.neuron.time_steps}
        return fields | ({"tuning_steps": cfg.neuron.tuning.steps} if is_tuned(cfg) else {})
    return asdict(spike_config(cfg))


def spike_config(cfg: DictConfig) -> SpikeConfig:
    """Return the `SpikeConfig` of a cell; `name` is the pipeline's own.

    Raises:
        ValueError: The cell has no spiking model, or that of a published conversion.
    """
    if not spiking(cfg):
        raise ValueError(
            f"neuron={cfg.neuron.name} has no spiking model; only pipeline.fetch,"
            " pipeline.pretrain and pipeline.evaluate (or pipeline.cell) run with it"
        )
    if is_baseline(cfg):
        raise ValueError(
            f"neuron={cfg.neuron.name} is the published method {cfg.neuron.method}: "
            "pipeline.convert and pipeline.evaluate (or pipeline.cell) run with it, nothing else"
        )
    from las.config import SpikeConfig

    fields = OmegaConf.to_container(cfg.neuron, resolve=True, throw_on_missing=True)
    assert isinstance(fields, dict)
    fields.pop("name")
    return SpikeConfig(**fields)  # type: ignore[arg-type]
