"""The one training loop: AdamW, linear warm-up, cosine decay; deterministic and resumable.

All that step s does follows from the recipe's seed and s: its examples, its learning rate, its
dropout. A run that goes on from a checkpoint is therefore the same run. The loop is not
`transformers.Trainer` because that writes its arguments, optimizer and random state as pickles.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm
from transformers import PreTrainedModel, get_cosine_schedule_with_warmup

from las.errors import TrainingError
from las.files import array_file

FORMAT = "las.training-2"
FORMER = "las.training"
LARGEST_GRADIENT = 1.0
"""L2 norm to which a larger gradient is scaled down."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        steps: optimizer steps.
        batch_size: examples per step.
        learning_rate: its largest value; the cosine ends at 0.
        warmup_steps: steps in which it rises from 0.
        weight_decay: of weight matrices; biases and norms have none.
        seed: of the order of the examples and of dropout.
        checkpoint_every: steps between checkpoints.
        beta2: decay of AdamW's mean of squared gradients. 0.999 remembers a thousand steps, among
            them the large gradients of the first ones: a run of a few hundred wants less.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    seed: int
    checkpoint_every: int
    beta2: float = 0.999


def train(
    model: PreTrainedModel,
    examples: Dataset[Any],
    collate: Callable[[list[Any]], dict[str, Tensor]],
    recipe: Recipe,
    checkpoints: Path,
) -> None:
    """Train `model` in place, on its CPU, and leave it in evaluation mode.

    The same seed, machine and number of threads give the same weights, bit for bit, also after an
    interruption. A checkpoint that is damaged, or of another model, recipe or data, is not used.

    Arguments:
        model: freshly initialised; also where a run goes on, for the checkpoint is of this model.
        examples: map-style, with a length. Every epoch takes all of them in a new order. An
            example must be a function of its index alone.
        collate: examples to forward kwargs, `labels` among them, so that the model gives `.loss`.
        recipe: how to train.
        checkpoints: directory of the run's one checkpoint. It stays behind after the last step:
            delete it once the trained model is saved.

    Raises:
        TrainingError: the loss or its gradient is NaN or infinite.
        ValueError: there are no examples.
    """
    order = _order(len(examples), recipe)  # type: ignore[arg-type]
    checkpoint = checkpoints / "training.safetensors"
    identity = _identity(model, recipe, collate([examples[i] for i in order[0].tolist()]))
    optimizer = _optimizer(model, recipe)
    done = _load(checkpoint, identity, model, optimizer)
    schedule = get_cosine_schedule_with_warmup(
        optimizer, recipe.warmup_steps, recipe.steps, last_epoch=done - 1
    )
    batches = DataLoader(examples, batch_sampler=order[done:].tolist(), collate_fn=collate)
    model.train()
    with (
        torch.random.fork_rng(devices=[]),
        tqdm(initial=done, total=recipe.steps, desc="training", unit="step") as bar,
    ):
        for step, batch in enumerate(batches, start=done):
            torch.manual_seed(recipe.seed * recipe.steps + step)
            loss = model(**batch).loss
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
            if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
                raise TrainingError(
                    f"step {step}: the loss is {loss.item():.4g} and its gradient's norm "
                    f"{norm.item():.4g}. Lower the learning rate, or look for damaged examples; "
                    f"then delete {checkpoints} and train again."
                )
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            if (step + 1) % recipe.checkpoint_every == 0 and step + 1 < recipe.steps:
                arrays = {name: tensor.numpy() for name, tensor in _tensors(model, optimizer)}
                array_file.write(
                    checkpoint, FORMAT, {"identity": identity, "done": step + 1}, arrays
                )
            bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
            bar.update()
    model.eval()


def _order(count: int, recipe: Recipe) -> Tensor:
    """Indices of the examples of every step, (steps, batch size): epoch after epoch, shuffled."""
    if not count:
        raise ValueError("there are no examples to train on")
    generator = torch.Generator().manual_seed(recipe.seed)
    needed = recipe.steps * recipe.batch_size
    epochs = [torch.randperm(count, generator=generator) for _ in range(-(-needed // count))]
    return torch.cat(epochs)[:needed].view(recipe.steps, recipe.batch_size)


def _optimizer(model: PreTrainedModel, recipe: Recipe) -> AdamW:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    # A schedule that goes on from a step asks for the first learning rate.
    groups = [group | {"initial_lr": recipe.learning_rate} for group in groups if group["params"]]
    return AdamW(groups, lr=recipe.learning_rate, betas=(0.9, recipe.beta2), fused=True)


def _identity(model: PreTrainedModel, recipe: Recipe, batch: dict[str, Tensor]) -> str:
    """Digest of what decides the run: recipe, model with its first weights, first batch."""
    digest = hashlib.sha256(f"{recipe}\n{model.config.to_json_string()}".encode())
    for name, tensor in (*model.named_parameters(), *model.named_buffers(), *batch.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _tensors(model: PreTrainedModel, optimizer: AdamW) -> Iterator[tuple[str, Tensor]]:
    """All that a run changes, by name; tied weights once."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        yield f"model {name}", tensor.detach()
        for moment, value in optimizer.state.get(tensor, {}).items():
            yield f"{moment} {name}", value


@torch.no_grad()
def _load(checkpoint: Path, identity: str, model: PreTrainedModel, optimizer: AdamW) -> int:
    """Put a checkpoint of this run into model and optimizer; return the steps that it has done."""
    if not checkpoint.exists():
        return 0
    try:
        header, arrays = array_file.read(checkpoint, FORMAT, FORMER)
    except array_file.DamagedFileError as error:
        tqdm.write(f"{checkpoint} is damaged ({error}): training begins anew.")
        return 0
    if header["identity"] != identity:
        tqdm.write(f"{checkpoint} is of another model, recipe or data: training begins anew.")
        return 0
    tensors = dict((*model.named_parameters(), *model.named_buffers()))
    for key, array in arrays.items():
        what, name = key.split(" ")
        if what == "model":
            tensors[name].copy_(torch.from_numpy(array))
        else:
            optimizer.state[tensors[name]][what] = torch.from_numpy(array)
    done: int = header["done"]
    return done
