from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from pipeline import paths

Compose = Callable[..., DictConfig]


@pytest.fixture
def composed() -> Iterator[Compose]:
    """Compose the real configuration with overrides, as the command line does."""
    with initialize_config_dir(paths.CONF, version_base="1.3"):
        yield lambda *overrides: compose("config", overrides=list(overrides))
