from __future__ import annotations

import bz2
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from transformers import LlamaForCausalLM

from las.data.wikipedia import split_of
from pipeline import paths
from tests.tiny_models import plain

Compose = Callable[..., DictConfig]


@pytest.fixture
def composed() -> Iterator[Compose]:
    """Compose the real configuration with overrides, as the command line does."""
    with initialize_config_dir(paths.CONF, version_base="1.3"):
        yield lambda *overrides: compose("config", overrides=list(overrides))


@pytest.fixture(scope="session")
def mine(tmp_path_factory: pytest.TempPathFactory, byte_tokenizer) -> Path:
    """A tiny model under a name that has a config, and a Wikipedia dump, of one's own."""
    folder = tmp_path_factory.mktemp("mine")
    model = plain.make(
        LlamaForCausalLM,
        vocab_size=len(byte_tokenizer),
        intermediate_size=24,
        num_hidden_layers=1,
        initializer_range=0.3,
    )
    model.save_pretrained(folder / "smollm2-135m")
    byte_tokenizer.save_pretrained(folder / "smollm2-135m")
    pages = "".join(
        f"  <page>\n    <title>T{i}</title>\n    <ns>0</ns>\n"
        f"    <text>Page {i} is for {split_of(f'T{i}')}, and is long enough.</text>\n  </page>\n"
        for i in range(80)
    )
    (folder / "wikipedia").mkdir()
    dump = f"<mediawiki>\n{pages}</mediawiki>\n"
    (folder / "wikipedia" / "pages.xml.bz2").write_bytes(bz2.compress(dump.encode()))
    return folder
