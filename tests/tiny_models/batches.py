"""Random batches of texts, images and sounds."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.tiny_models.tiny_model import (
    END,
    MASSIVE_TOKEN,
    PAD,
    START,
    VOCABULARY,
    Batch,
    BatchMaker,
    Sizes,
)

IMAGE = 3  # the token that stands for a part of an image
FIRST_WORD = 8  # of texts beside images
PATCH, IMAGE_SIZE = 4, 12


def texts(generator: torch.Generator, sizes: Sizes) -> Batch:
    """Random token ids that begin with the massive token; the last row is right-padded."""
    ids = torch.randint(3, VOCABULARY, (sizes.rows, sizes.length), generator=generator)
    ids[:, 0] = MASSIVE_TOKEN
    mask = torch.ones_like(ids)
    if sizes.padding:
        mask[-1, -sizes.padding :] = 0
        ids[-1, -sizes.padding :] = PAD
    return {"input_ids": ids, "attention_mask": mask}


def _ended(
    generator: torch.Generator, rows: int, length: int, padding: int
) -> tuple[Tensor, Tensor]:
    """Texts that end with the token from which a classification is read."""
    ids = torch.randint(3, VOCABULARY, (rows, length), generator=generator)
    ids[:, 1] = MASSIVE_TOKEN
    ids[:, -1] = END
    mask = torch.ones_like(ids)
    if padding:
        mask[-1, -padding:] = 0
        ids[-1, -padding:] = PAD
        ids[-1, -padding - 1] = END
    return ids, mask


def ended_texts(generator: torch.Generator, sizes: Sizes) -> Batch:
    """Random token ids, the massive one among them, END behind the last; the last row is padded."""
    ids, mask = _ended(generator, sizes.rows, sizes.length, sizes.padding)
    return {"input_ids": ids, "attention_mask": mask}


def written(generator: torch.Generator, sizes: Sizes) -> Batch:
    """What a decoder reads; its padding is not that of the encoder."""
    ids, mask = _ended(generator, sizes.rows, sizes.written, sizes.padding // 2)
    ids[:, 0] = PAD  # what a decoder begins with
    return {"decoder_input_ids": ids, "decoder_attention_mask": mask}


def texts_and_written(generator: torch.Generator, sizes: Sizes) -> Batch:
    """For an encoder and a decoder."""
    return ended_texts(generator, sizes) | written(generator, sizes)


def images(generator: torch.Generator, sizes: Sizes) -> Batch:
    """Pixels of small squares."""
    pixels = torch.randn(sizes.rows, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    return {"pixel_values": pixels}


def seen_texts(generator: torch.Generator, sizes: Sizes, parts: list[int]) -> Batch:
    """Texts that begin with token 1 and an image of so many parts; the last of several is padded.

    Arguments:
        generator: of random numbers.
        sizes: of the texts, which grow where they do not hold their images.
        parts: tokens of each row's image.
    """
    length = max(sizes.length, 8 + max(parts, default=0))
    ids = torch.randint(FIRST_WORD, VOCABULARY, (sizes.rows, length), generator=generator)
    ids[:, 0] = START
    for row, tokens in enumerate(parts):
        ids[row, 1 : 1 + tokens] = IMAGE
    mask = torch.ones_like(ids)
    if sizes.rows > 1 and sizes.padding:
        mask[-1, -sizes.padding :] = 0
        ids[-1, -sizes.padding :] = PAD
    return {"input_ids": ids, "attention_mask": mask}


def captions(generator: torch.Generator, sizes: Sizes) -> Batch:
    """Texts as they stand beside images."""
    return seen_texts(generator, sizes, [])


def images_and_captions(generator: torch.Generator, sizes: Sizes) -> Batch:
    """For two towers."""
    return images(generator, sizes) | captions(generator, sizes)


def images_in_texts(parts: int = (IMAGE_SIZE // PATCH) ** 2, frames: int = 0) -> BatchMaker:
    """Batches of texts with one image each.

    Arguments:
        parts: tokens of an image.
        frames: an axis of so many images for each text; 0 for no such axis.
    """

    def make(generator: torch.Generator, sizes: Sizes) -> Batch:
        batch = seen_texts(generator, sizes, [parts * max(frames, 1)] * sizes.rows)
        shape = (sizes.rows, frames) if frames else (sizes.rows,)
        size = (*shape, 3, IMAGE_SIZE, IMAGE_SIZE)
        return batch | {"pixel_values": torch.randn(size, generator=generator)}

    return make


def patches_in_texts(generator: torch.Generator, sizes: Sizes) -> Batch:
    """Images of different sizes, cut into patches of two frames each; 2 x 2 patches are a token."""
    grids = [(1, 4, 6) if row % 2 else (1, 4, 4) for row in range(sizes.rows)]
    patches = [frames * height * width for frames, height, width in grids]
    batch = seen_texts(generator, sizes, [count // 4 for count in patches])
    return batch | {
        "pixel_values": torch.randn(sum(patches), 3 * 2 * PATCH * PATCH, generator=generator),
        "image_grid_thw": torch.tensor(grids),
        "mm_token_type_ids": (batch["input_ids"] == IMAGE).int(),
    }
