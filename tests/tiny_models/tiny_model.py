"""What a tiny model is: two layers of an architecture, random weights, a massive activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from torch import Tensor

VOCABULARY = 64
HIDDEN = 32
PAD, START, END = 0, 1, 2
MASSIVE_TOKEN = START
CHANNEL = 7  # which is massive
MASSIVE = 1000.0  # times its neighbours
SPREAD = 0.3

Batch = dict[str, Tensor]
Change = Callable[[Any], None]


@dataclass(frozen=True)
class Sizes:
    """Of a batch.

    Attributes:
        rows: sequences or images.
        length: tokens of a sequence that is read.
        written: tokens of a sequence that a decoder writes.
        padding: tokens of the last row that are padding.
    """

    rows: int = 4
    length: int = 24
    written: int = 13
    padding: int = 5


BatchMaker = Callable[[torch.Generator, Sizes], Batch]


def jitter(model: Any) -> None:
    """Leave no bias and no gamma at a constant; matrices stay as the config spreads them."""
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter += 0.2 * torch.randn_like(parameter)


def redraw(model: Any) -> None:
    """Draw all matrices anew, with one spread; leave no bias and no gamma at a constant.

    Frozen ones, such as tables of sines, belong to the architecture.
    """
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        if parameter.dim() == 1:
            parameter += 0.2 * torch.randn_like(parameter)
        else:
            parameter.normal_(0, SPREAD)


def massive_word(model: Any) -> None:
    """One channel of the embedding of token 1, in standard deviations of all the others."""
    weight = model.get_input_embeddings().weight
    weight[MASSIVE_TOKEN, CHANNEL] = MASSIVE * weight.std()


@dataclass(frozen=True)
class TinyModel:
    """A tiny model and what it is called with.

    Attributes:
        name: its own, "-k" picks it.
        family: its row in the list of families.
        kind: its class in transformers.
        options: of its config.
        batch: random inputs from a generator.
        outputs: what is compared of its output.
        weights: changes the weights that transformers drew.
        plant: gives it massive activations.
        generates: whether it writes text.
        rounds: whether the host computes some values in float32 whatever the model's precision.
        refused: what of it las does not convert, as the refusal names it; empty if it converts.
    """

    name: str
    family: str
    kind: str
    options: Mapping[str, Any] = field(repr=False)
    batch: BatchMaker = field(repr=False)
    outputs: tuple[str, ...] = ("logits",)
    weights: Change = field(default=redraw, repr=False)
    plant: Change = field(default=massive_word, repr=False)
    generates: bool = False
    rounds: bool = False
    refused: str = ""

    def config(self) -> Any:
        """A config of its own for each model."""
        return getattr(transformers, self.kind).config_class(**self.options)

    def build(self) -> Any:
        """The model, the same at each call."""
        torch.manual_seed(0)
        model = getattr(transformers, self.kind)(self.config()).eval()
        with torch.no_grad():
            self.weights(model)
            self.plant(model)
        return model

    def batches(self, count: int = 4, seed: int = 1, **sizes: int) -> list[Batch]:
        """Random batches; sizes as in `Sizes`."""
        generator = torch.Generator().manual_seed(seed)
        return [self.batch(generator, Sizes(**sizes)) for _ in range(count)]

    def prompt(self, seed: int = 4, **sizes: int) -> Batch:
        """What a text is to be written for, without padding; the decoder's part is left out."""
        (batch,) = self.batches(1, seed=seed, **{"padding": 0, "rows": 2, **sizes})
        return {name: x for name, x in batch.items() if not name.startswith("decoder_")}

    def read(self, model: Any, batch: Batch, gradients: bool = False) -> list[Tensor]:
        """The outputs of a model, without what it makes of padding."""
        with torch.set_grad_enabled(gradients):
            output = model(**batch)
        mask = batch.get("decoder_attention_mask", batch.get("attention_mask"))
        tensors = [getattr(output, name) for name in self.outputs]
        return [
            x[mask.bool()] if mask is not None and x.shape[:2] == mask.shape else x for x in tensors
        ]


def beside_massive(x: Tensor) -> Tensor:
    """Outputs without the massive channel or token, beside which no error would show."""
    massive = {HIDDEN: CHANNEL, VOCABULARY: MASSIVE_TOKEN}.get(x.shape[-1])
    return x if massive is None or x.dim() < 2 else x[..., torch.arange(x.shape[-1]) != massive]


def index(*models: TinyModel) -> dict[str, TinyModel]:
    """By name.

    Raises:
        ValueError: two have the same name.
    """
    made = {model.name: model for model in models}
    if len(made) < len(models):
        names = [model.name for model in models]
        raise ValueError(
            f"named twice: {sorted({name for name in names if names.count(name) > 1})}"
        )
    return made
