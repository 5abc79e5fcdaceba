"""A vision-language model and its processor, trained from nothing on easy-VQA.

First the vision tower learns to name the shapes that pictures show, as LLaVA's tower was trained
before LLaVA: colours come by themselves, but once they do, shapes take far longer. Then the whole
model learns to answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import PreTrainedModel, ProcessorMixin
from transformers.utils import ModelOutput

from las.data.easy_vqa import Question, read_image, read_questions
from las.pretraining.train import Recipe, train
from las.pretraining.turns import Turn, conversation, packed
from las.pretraining.vision_language import untrained


def train_visual_questions(
    directory: Path,
    recipe: Recipe,
    checkpoints: Path,
    *,
    architecture: Mapping[str, Any],
    image_size: int,
    names: Sequence[str],
    naming: Recipe,
    turns: int,
) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Train on the pictures of the split "train"; those of "test" stay unread.

    Every picture is also seen mirrored: easy-VQA asks for no left or right.

    Arguments:
        directory: an easy-VQA directory.
        recipe, checkpoints: see `las.pretraining.train.train`; an example is a picture with some of
            its questions.
        architecture, image_size: see `las.pretraining.vision_language.untrained`.
        names: those answers by which the vision tower first learns to name pictures, one of which
            fits a picture.
        naming: how that is trained; an example is a picture.
        turns: questions of an example, at most.

    Returns:
        the model in float32, in evaluation mode, and its processor.

    Raises:
        ValueError: an unknown family, `turns` below 1, or a name that fits no picture.
        AssetError, FileNotFoundError: the data are missing or damaged.
        TrainingError: see `las.pretraining.train.train`.
    """
    if turns < 1:
        raise ValueError(f"turns must be at least 1, not {turns}")
    questions = read_questions(directory, "train")
    texts = [text for question in questions for text in (question.text, question.answer)]
    model, processor = untrained(architecture, image_size, texts, recipe.seed)
    images = {path: read_image(path) for path in {question.image for question in questions}}

    named = _Names(questions, images, processor, names)
    namer: Any = _Namer(model, len(names), naming.seed)
    train(namer, named, named.collate, naming, checkpoints / "naming")
    answers = _Answers(questions, images, model, processor, turns)
    train(model, answers, answers.collate, recipe, checkpoints / "answers")
    return model, processor


class _Namer(nn.Module):
    """A model's vision tower, its output averaged over the picture, and a layer that names it."""

    def __init__(self, model: PreTrainedModel, names: int, seed: int) -> None:
        super().__init__()
        self.config = model.config
        self.model: Any = model
        vision = model.config.vision_config
        width = vision.embed_dim if hasattr(vision, "embed_dim") else vision.hidden_size
        generator = torch.Generator().manual_seed(seed)
        self.head = nn.Linear(width, names, bias=False)
        nn.init.normal_(self.head.weight, std=width**-0.5, generator=generator)

    def forward(self, labels: Tensor, **images: Tensor) -> ModelOutput:
        """Loss of the names of some pictures; `labels` holds their numbers, (B,)."""
        seen = self.model.get_image_features(**images).last_hidden_state
        means = seen.reshape(len(labels), -1, seen.shape[-1]).mean(1)
        return ModelOutput(loss=nn.functional.cross_entropy(self.head(means), labels))


class _Names(Dataset[tuple[Image.Image, int]]):
    """The pictures that one of some names fits, as answers tell; each also mirrored."""

    def __init__(
        self,
        questions: Sequence[Question],
        images: Mapping[Path, Image.Image],
        processor: ProcessorMixin,
        names: Sequence[str],
    ) -> None:
        self._images, self._processor = images, processor
        numbers = {name: number for number, name in enumerate(names)}
        named = {q.image: numbers[q.answer] for q in questions if q.answer in numbers}
        unused = sorted(set(numbers) - {names[number] for number in named.values()})
        if unused:
            raise ValueError(f"{', '.join(unused)}: names that no picture has in any answer")
        self._examples = [
            (path, mirrored, number) for mirrored in (False, True) for path, number in named.items()
        ]

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        path, mirrored, number = self._examples[index]
        return _view(self._images[path], mirrored), number

    def collate(self, examples: list[tuple[Image.Image, int]]) -> dict[str, Tensor]:
        """Examples as forward kwargs of `_Namer`."""
        images, numbers = zip(*examples, strict=True)
        return _pixels(self._processor, images) | {"labels": torch.tensor(numbers)}


@dataclass(frozen=True)
class _Example:
    image: Path
    mirrored: bool
    questions: tuple[Question, ...]


class _Answers(Dataset[tuple[Image.Image, list[Turn]]]):
    """Pictures with some of their questions, dealt out so that every question is asked once."""

    def __init__(
        self,
        questions: Sequence[Question],
        images: Mapping[Path, Image.Image],
        model: PreTrainedModel,
        processor: ProcessorMixin,
        turns: int,
    ) -> None:
        self._images, self._processor = images, processor
        self._image_token = model.config.image_token_id
        wordings = dict.fromkeys((question.text, question.answer) for question in questions)
        image = next(iter(images.values()))
        self._turns = {
            wording: conversation(model, processor, image, *wording) for wording in wordings
        }
        about: dict[Path, list[Question]] = defaultdict(list)
        for question in questions:
            about[question.image].append(question)
        self._examples = [
            _Example(path, mirrored, tuple(asked[hand :: -(-len(asked) // turns)]))
            for mirrored in (False, True)
            for path, asked in about.items()
            for hand in range(-(-len(asked) // turns))
        ]

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> tuple[Image.Image, list[Turn]]:
        example = self._examples[index]
        turns = [self._turns[question.text, question.answer] for question in example.questions]
        return _view(self._images[example.image], example.mirrored), turns

    def collate(self, examples: list[tuple[Image.Image, list[Turn]]]) -> dict[str, Tensor]:
        """Examples as forward kwargs of the model."""
        images, turns = zip(*examples, strict=True)
        return _pixels(self._processor, images) | packed(turns, self._image_token)


def _view(image: Image.Image, mirrored: bool) -> Image.Image:
    return ImageOps.mirror(image) if mirrored else image


def _pixels(processor: Any, images: Iterable[Image.Image]) -> dict[str, Tensor]:
    return dict(processor.image_processor(list(images), return_tensors="pt"))
