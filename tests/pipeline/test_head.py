"""GLUE heads: an experiment on data of the user's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from transformers import BertModel, PreTrainedTokenizerFast

from las.data.glue import GLUE
from las.errors import AssetError
from pipeline import fetch, head, paths
from tests.tiny_models import plain

SWEEP = OmegaConf.load(Path(paths.CONF) / "experiment" / "glue_heads.yaml").hydra.sweeper.params
MODELS = SWEEP.model.split(",")


@pytest.mark.parametrize("name", MODELS)
def test_a_head_is_trained_on_one_split_and_scored_on_the_other(composed, name: str) -> None:
    cfg = composed(f"model={name}")
    assert head.is_head(cfg)
    assert cfg.evaluation.tasks == [cfg.model.glue.task]
    assert cfg.evaluation.directory == cfg.model.pretraining.dataset.name
    assert cfg.evaluation.part == "all"


def test_the_experiment_has_every_task_and_the_grid_none(composed) -> None:
    assert {composed(f"model={name}").model.glue.task for name in MODELS} == set(GLUE)
    assert not set(MODELS) & set(OmegaConf.load(paths.ROOT / "params.yaml").models)
    assert not head.is_head(composed("model=minilm-sst2"))


@pytest.fixture
def overrides(tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """A directory of the user's, with an encoder and one task."""
    own = tmp_path / "own"
    model = plain.make(
        BertModel, vocab_size=len(byte_tokenizer), pad_token_id=byte_tokenizer.pad_token_id
    )
    model.save_pretrained(own / "minilm-l6")
    byte_tokenizer.save_pretrained(own / "minilm-l6")
    rows = [{"sentence1": "a", "sentence2": "ab"[i % 2], "label": i % 2} for i in range(8)]
    for split in ("train", "dev"):
        path = own / "glue-full" / "RTE" / f"{split}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (own / "wikipedia").mkdir()
    (own / "wikipedia" / "none.bz2").write_bytes(b"")
    recipe = "model.pretraining.recipe"
    return [
        f"root={tmp_path / 'root'}", "source=directory", f"source.directory={own}",
        f"{recipe}.steps=2", f"{recipe}.batch_size=4", f"{recipe}.warmup_steps=0",
        "model.pretraining.max_length=8", "tracking=none",
    ]  # fmt: skip


def test_it_is_made_once_from_the_users_files(composed, overrides, capsys, tmp_path) -> None:
    cfg = composed("model=minilm-rte", *overrides)
    fetch.run(cfg)
    head.run(cfg)
    assert (tmp_path / "root" / "data" / "models" / "minilm-rte" / "model.safetensors").exists()
    head.run(cfg)
    assert "made already" in capsys.readouterr().out


def test_a_task_that_is_not_there_is_named(composed, overrides) -> None:
    cfg = composed("model=minilm-qqp", *overrides)
    fetch.run(cfg)
    with pytest.raises(AssetError, match="has no folder qqp, but RTE: GLUE's own site"):
        head.run(cfg)


def test_another_model_is_no_head(composed) -> None:
    with pytest.raises(ValueError, match=r"no GLUE head.*pipeline\.pretrain model=minilm-sst2"):
        head.run(composed("model=minilm-sst2"))
