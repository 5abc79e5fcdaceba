"""Where every stage reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).resolve().parent.parent
CONF = str(ROOT / "conf")


class MissingStageError(FileNotFoundError):
    """A file that an earlier stage writes is not there."""


@dataclass(frozen=True)
class Cell:
    """The paths of one cell of the grid below a root.

    Arguments:
        root: Where data/, results/ and reports/ lie.
        model, neuron, evaluation: Names of the configs.
    """

    root: Path
    model: str
    neuron: str
    evaluation: str

    @classmethod
    def of(cls, cfg: DictConfig) -> Cell:
        """Return the cell that a composed configuration describes."""
        return cls(Path(cfg.root), cfg.model.name, cfg.neuron.name, cfg.evaluation.name)

    @property
    def base_model(self) -> Path:
        """The Hugging Face directory."""
        return models(self.root) / self.model

    @property
    def checkpoints(self) -> Path:
        """Where a training run of the model that was interrupted goes on from."""
        return self.root / "data" / "checkpoints" / self.model

    @property
    def statistics(self) -> Path:
        """What calibration collected."""
        return spiking_models(self.root) / self.model / "statistics.safetensors"

    @property
    def sample(self) -> Path:
        """One row of the calibration data, on which spiking models are compared."""
        return spiking_models(self.root) / self.model / "sample.safetensors"

    @property
    def spiking_model(self) -> Path:
        """What the spiking model has beyond its original: the three below."""
        return spiking_models(self.root) / self.model / "neurons" / self.neuron

    @property
    def thresholds(self) -> Path:
        """The chosen thresholds."""
        return self.spiking_model / "thresholds.json"

    @property
    def functions(self) -> Path:
        """The fitted functions."""
        return self.spiking_model / "functions.safetensors"

    @property
    def adapter(self) -> Path:
        """The adapter directory, made of those two."""
        return self.spiking_model / "adapter"

    @property
    def results(self) -> Path:
        """The folder of what was scored and counted."""
        return self.root / "results" / self.model / self.neuron / self.evaluation

    @property
    def scores(self) -> Path:
        """The scores of the ANN and the SNN."""
        return self.results / "evaluation.json"

    @property
    def timings(self) -> Path:
        """How long the models took: it differs from run to run, so it is no output for DVC."""
        return self.results / "timings.json"

    @property
    def spikes(self) -> Path:
        """The spikes counted during evaluation."""
        return self.results / "spikes.json"

    @property
    def energy(self) -> Path:
        """The energy estimate."""
        return self.results / "energy.json"

    def need(self, path: Path, stage: str) -> Path:
        """Return `path` if it exists.

        Raises:
            MissingStageError: It does not; the message gives the command that makes it.
        """
        if not path.exists():
            raise MissingStageError(
                f"{path} is missing. Make it with: python -m pipeline.{stage} model={self.model} "
                f"neuron={self.neuron} evaluation={self.evaluation}   (or everything: make repro)"
            )
        return path


def trained_here(cfg: DictConfig) -> bool:
    """Say whether the model is trained by pipeline.pretrain, not fetched."""
    return "pretraining" in cfg.model


def spiking(cfg: DictConfig) -> bool:
    """Say whether the cell has a spiking model; conf/neuron/none.yaml has none."""
    return cfg.neuron.time_steps is not None


def model_stage(cfg: DictConfig) -> str:
    """Return the name of the stage that makes the model."""
    return "pretrain" if trained_here(cfg) else "fetch"


def assets(root: Path) -> Path:
    """Return the folder of fetched assets."""
    return root / "data" / "assets"


def wheels(root: Path) -> Path:
    """Return the folder of downloaded wheels."""
    return root / "data" / "wheels"


def models(root: Path) -> Path:
    """Return the folder of the original models."""
    return root / "data" / "models"


def spiking_models(root: Path) -> Path:
    """Return the folder of what spiking models have beyond their originals."""
    return root / "data" / "spiking"


def how_loaded(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    """Return what of the configuration decides how the original model is loaded, as plain data."""
    placement = OmegaConf.to_container(cfg.placement, resolve=True)
    return {
        "model": {"kind": cfg.model.kind, "dtype": cfg.model.get("dtype", "float32")},
        "placement": placement,  # type: ignore[dict-item]
    }
