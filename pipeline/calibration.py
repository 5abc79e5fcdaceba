"""The calibration batches of a cell."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pipeline import paths


def batches(cfg: DictConfig, reader: Any) -> list[Any]:
    """What the config group `calibration` describes, as forward arguments; read once in a row.

    Arguments:
        cfg: of the cell.
        reader: its tokenizer or processor.
    """
    return _batches(described_in_full(cfg), reader)


def described_in_full(cfg: DictConfig) -> str:
    """What of the configuration decides on the batches, as text."""
    return OmegaConf.to_yaml(
        OmegaConf.create({"root": cfg.root, "calibration": cfg.calibration}), resolve=True
    )


@lru_cache(maxsize=1)
def _batches(text: str, reader: Any) -> list[Any]:
    from las.data.calibration import calibration_questions, calibration_texts, calibration_windows

    cfg: Any = OmegaConf.create(text)
    forms = {
        "windows": (calibration_windows, "dump", ("count", "length", "batch_size")),
        "texts": (calibration_texts, "dump", ("count", "length", "batch_size")),
        "questions": (calibration_questions, "directory", ("count", "batch_size")),
    }
    make_batches, source, sizes = forms[cfg.calibration.form]
    return list(
        make_batches(  # type: ignore[operator]
            paths.assets(Path(cfg.root)) / cfg.calibration[source],
            reader,
            **{name: cfg.calibration[name] for name in sizes},
        )
    )


def described(cfg: DictConfig) -> dict[str, Any]:
    """The config group, without where its data set comes from: what that holds is an input."""
    calibration = OmegaConf.to_container(cfg.calibration, resolve=True)
    assert isinstance(calibration, dict)
    calibration.pop("dataset")
    return {str(name): value for name, value in calibration.items()}
