"""The training loop: deterministic, resumable to the bit, loud where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import GPT2LMHeadModel

from las.errors import TrainingError
from las.pretraining.train import Recipe, train
from tests.tiny_models import plain

RECIPE = Recipe(
    steps=12,
    batch_size=4,
    learning_rate=1e-2,
    warmup_steps=2,
    weight_decay=0.1,
    seed=3,
    checkpoint_every=5,
)


class Counting(Dataset[Tensor]):
    """Runs of consecutive numbers modulo 16; after `allowed` examples the power fails."""

    def __init__(self, allowed: int = 10**9, step: int = 1) -> None:
        self.allowed = allowed
        self.step = step
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Tensor:
        if len(self.asked) >= self.allowed:
            raise KeyboardInterrupt
        self.asked.append(index)
        return (self.step * torch.arange(12) + index) % 16


def collate(examples: list[Tensor]) -> dict[str, Tensor]:
    input_ids = torch.stack(examples)
    return {"input_ids": input_ids, "labels": input_ids}


def model(dropout: float = 0.1) -> GPT2LMHeadModel:
    """Embeddings tied to the output; dropout, so that random numbers matter."""
    rates = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), dropout)
    sizes = dict(vocab_size=16, n_positions=12, num_hidden_layers=1, initializer_range=0.02)
    return plain.make(GPT2LMHeadModel, **sizes, **rates)


def trained(folder: Path, recipe: Recipe = RECIPE) -> GPT2LMHeadModel:
    made = model()
    train(made, Counting(), collate, recipe, folder)
    return made


def same(one: GPT2LMHeadModel, other: GPT2LMHeadModel) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def interrupted(folder: Path, steps: int) -> None:
    """Leave behind what a run leaves that is stopped in the step after `steps`."""
    # the first batch is looked at before training begins
    examples = Counting(allowed=RECIPE.batch_size * (1 + steps) + 1)
    with pytest.raises(KeyboardInterrupt):
        train(model(), examples, collate, RECIPE, folder)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    written: list[str] = []
    monkeypatch.setattr("las.pretraining.train.tqdm.write", written.append)
    yield written


def test_it_learns_and_leaves_the_model_ready_to_use(tmp_path: Path) -> None:
    made = model(dropout=0.0)
    train(made, Counting(), collate, replace(RECIPE, steps=150), tmp_path)
    batch = collate([Counting()[i] for i in range(10)])
    assert made(**batch).loss.item() < 0.1 < model()(**batch).loss.item()
    assert not made.training


def test_the_same_seed_gives_the_same_weights_to_the_bit(tmp_path: Path) -> None:
    first = trained(tmp_path / "a")
    torch.manual_seed(99)
    assert same(first, trained(tmp_path / "b"))


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    first = trained(tmp_path / "a")
    assert not same(first, trained(tmp_path / "b", replace(RECIPE, seed=4)))


def test_random_numbers_of_the_caller_are_left_alone(tmp_path: Path) -> None:
    made = model()
    before = torch.random.get_rng_state()
    train(made, Counting(), collate, RECIPE, tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_epoch_takes_every_example_once(tmp_path: Path) -> None:
    examples = Counting()
    train(model(), examples, collate, replace(RECIPE, steps=5), tmp_path)
    asked = examples.asked[RECIPE.batch_size :]
    assert sorted(asked[:10]) == sorted(asked[10:]) == list(range(10))
    assert asked[:10] != asked[10:]


@pytest.mark.parametrize("stopped", [3, 5, 7, 11])
def test_an_interrupted_run_ends_with_the_same_weights(
    tmp_path: Path, stopped: int, messages: list[str]
) -> None:
    interrupted(tmp_path / "stopped", stopped)
    resumed = model()
    examples = Counting()
    train(resumed, examples, collate, RECIPE, tmp_path / "stopped")
    assert same(resumed, trained(tmp_path / "whole"))
    kept = stopped // RECIPE.checkpoint_every * RECIPE.checkpoint_every
    assert len(examples.asked) == RECIPE.batch_size * (1 + RECIPE.steps - kept)
    assert not messages


def test_a_run_interrupted_twice_ends_with_the_same_weights(tmp_path: Path) -> None:
    interrupted(tmp_path / "stopped", 6)
    interrupted(tmp_path / "stopped", 6)  # on from step 5, into step 12
    assert same(trained(tmp_path / "stopped"), trained(tmp_path / "whole"))


def test_a_damaged_checkpoint_is_not_used(tmp_path: Path, messages: list[str]) -> None:
    interrupted(tmp_path / "stopped", 7)
    (checkpoint,) = (tmp_path / "stopped").iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    assert same(trained(tmp_path / "stopped"), trained(tmp_path / "whole"))
    assert "is damaged" in messages[0]


@pytest.mark.parametrize("what", ["recipe", "model", "data"])
def test_a_checkpoint_of_another_run_is_not_used(
    tmp_path: Path, messages: list[str], what: str
) -> None:
    recipe = replace(RECIPE, learning_rate=1e-3) if what == "recipe" else RECIPE
    interrupted(tmp_path / "stopped", 7)
    ends = []
    for folder in ("stopped", "whole"):
        made = model(dropout=0.0 if what == "model" else 0.1)
        examples = Counting(step=3 if what == "data" else 1)
        train(made, examples, collate, recipe, tmp_path / folder)
        ends.append(made)
    assert same(*ends)
    assert len(messages) == 1 and "another model, recipe or data" in messages[0]


def test_a_checkpoint_is_one_file_without_pickles(tmp_path: Path) -> None:
    interrupted(tmp_path, 11)
    (checkpoint,) = tmp_path.iterdir()
    assert checkpoint.suffix == ".safetensors"


def test_frozen_weights_stay_as_they_are(tmp_path: Path) -> None:
    made = model()
    made.transformer.wpe.requires_grad_(False)
    frozen = made.transformer.wpe.weight.clone()
    train(made, Counting(), collate, RECIPE, tmp_path)
    assert torch.equal(made.transformer.wpe.weight, frozen)
    assert not same(made, model())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path, value: float) -> None:
    made = model()
    with torch.no_grad():
        made.transformer.wte.weight[3, 3] = value
    with pytest.raises(TrainingError, match="Lower the learning rate"):
        train(made, Counting(), collate, RECIPE, tmp_path)


def test_training_on_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no examples"):
        train(model(), [], collate, RECIPE, tmp_path)  # type: ignore[arg-type]
