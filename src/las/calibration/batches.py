"""Batches that a model is to run on: what is wrong with one is said before the model chokes on it.

A batch is a mapping of forward keyword arguments. What las knows of them is checked here. The rest
is the model's business, and what the model says to it is handed on with the name of the batch.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from las.components.padding import IGNORED
from las.errors import CalibrationError, LasError
from las.hosts.stacks import stacks
from las.hosts.towers import image_tokens
from las.options import shown

Batch = Mapping[str, Any]

_READ = ("input_ids", "inputs_embeds", "pixel_values", "input_features", "input_values")
"""What models read; a calibration batch needs one of them."""

_DIMENSIONS = {
    "input_ids": 2,
    "inputs_embeds": 3,
    "pixel_values": 2,
    "input_features": 2,
    "input_values": 2,
    "attention_mask": 2,
    "token_type_ids": 1,
    "position_ids": 1,
    "labels": 0,
    "decoder_input_ids": 2,
    "decoder_inputs_embeds": 3,
    "decoder_attention_mask": 2,
}
"""The tensors of a batch that las knows, and how many dimensions each has at least."""

_LISTS = {"labels": Mapping, "pixel_values": Tensor}
"""What may also come in a list: boxes to find, and images of several sizes beside a text."""

_EMBEDDED = {"inputs_embeds": "attention_mask", "decoder_inputs_embeds": "decoder_attention_mask"}
_MASKS = {"input_ids": "attention_mask", "decoder_input_ids": "decoder_attention_mask"} | _EMBEDDED
"""The masks of what has one; where a mask is 0, there is padding."""

_FORM = "a batch is a dict of forward arguments, such as {'input_ids': ..., 'attention_mask': ...}"
_TOKENIZE = "a tokenizer or processor makes tensors with return_tensors='pt'"


@dataclass(frozen=True)
class Tokens:
    """The tokens of a batch.

    Attributes:
        count: those that are no padding, of an encoder and its decoder together.
        keep: which ones those are, (B, L), of the encoder where there are both; None for all.
        decoded: the same of the decoder.
    """

    count: int
    keep: Tensor | None = None
    decoded: Tensor | None = None


def numbered(model: nn.Module, batches: Iterable[Any]) -> Iterator[tuple[str, Batch, Tokens]]:
    """Calibration batches with their names and tokens; those of padding alone are left out.

    Raises:
        CalibrationError: a batch has a wrong form.
    """
    decodes = len(stacks(model)) > 1
    for index, batch in enumerate(batches):
        name = f"calibration batch {index}"
        check_batch(model, batch, name)
        tokens = _tokens(model, batch, name, decodes)
        if tokens is not None:
            yield name, batch, tokens


def peek(model: nn.Module, batches: Any) -> tuple[tuple[str, Batch] | None, Iterable[Any]]:
    """The first calibration batch with its name, or None; and all of them, still to be read.

    Raises:
        CalibrationError: a batch, or what should hold batches, has a wrong form.
    """
    iterator = iter(check_iterable(batches))
    seen: list[Any] = []

    def remembered() -> Iterator[Any]:
        for batch in iterator:
            seen.append(batch)
            yield batch

    first = next(numbered(model, remembered()), None)
    again = batches if iterator is not batches else itertools.chain(seen, iterator)
    return None if first is None else first[:2], again


def check_iterable(batches: Any) -> Iterable[Any]:
    """What holds calibration batches, as it is.

    Raises:
        CalibrationError: a single batch, a text, a tensor, or nothing that can be iterated over.
    """
    if isinstance(batches, Mapping):
        raise CalibrationError(
            f"{shown(batches)} was given instead of a list of batches: put it in a list, [batch]"
        )
    try:
        if isinstance(batches, str | bytes | Tensor | np.ndarray):
            raise TypeError
        iter(batches)
    except TypeError:
        raise CalibrationError(
            f"{shown(batches)} was given instead of a list of batches, or something else to "
            f"iterate over; {_FORM}"
        ) from None
    held: Iterable[Any] = batches
    return held


def check_batch(model: nn.Module, batch: Any, name: str) -> None:
    """Look at the form of one batch; whether it suits the model is for the model to say.

    Arguments:
        model: a transformers model.
        batch: forward keyword arguments.
        name: what an error calls it.

    Raises:
        CalibrationError: it is no mapping, or a part of it has a wrong type, shape or value.
    """
    if isinstance(batch, str):
        raise CalibrationError(f"{name} is a text, {shown(batch)}: {_FORM}; {_TOKENIZE}")
    if not isinstance(batch, Mapping):
        raise CalibrationError(f"{name} is {shown(batch)}: {_FORM}")
    for part, value in batch.items():
        if value is not None:
            _check_type(part, value, name)
            if part in _DIMENSIONS and isinstance(value, Tensor):
                _check_tensor(part, value, name)
    for part, mask in _MASKS.items():
        if batch.get(part) is not None and batch.get(mask) is not None:
            _check_mask(batch, part, mask, name)
    _check_finite(batch, name)
    _check_vocabulary(model, batch, name)
    _check_read(model, batch, name)


@contextmanager
def running_on(model: nn.Module, name: str) -> Iterator[None]:
    """Let an error that a model raises inside the block say on which batch.

    Errors of las are left as they are, and so is want of memory.

    Arguments:
        model: what runs.
        name: of the batch.

    Raises:
        CalibrationError: with the first line of what the model said.
    """
    try:
        yield
    except (LasError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        if "allocate memory" in said:  # of the CPU
            raise
        raise CalibrationError(
            f"{type(model).__name__} does not run on {name}: {type(error).__name__}: {said}"
        ) from error


def _check_type(part: str, value: Any, name: str) -> None:
    known = part in _DIMENSIONS
    if isinstance(value, Tensor) or not (known or isinstance(value, np.ndarray)):
        return
    listed = isinstance(value, list | tuple) and value and part in _LISTS
    if listed and all(isinstance(one, _LISTS[part]) for one in value):
        return
    raise CalibrationError(f"{name}: {part} is {shown(value)}, and has to be a tensor; {_TOKENIZE}")


def _check_tensor(part: str, value: Tensor, name: str) -> None:
    """Look at the layout, the shape and the dtype of a tensor that las knows."""
    if value.is_nested or value.layout != torch.strided or value.is_meta:
        what = "a nested tensor" if value.is_nested else f"a {value.layout} tensor"
        what = "on the meta device" if value.is_meta else what
        raise CalibrationError(f"{name}: {part} is {what}, and has to be a dense one with values")
    if value.dim() < _DIMENSIONS[part]:
        raise CalibrationError(
            f"{name}: {part} has the shape {tuple(value.shape)}, and needs {_DIMENSIONS[part]} "
            "dimensions at least, of which the first one counts the rows of the batch"
        )
    if part.endswith("input_ids"):
        if value.dtype not in (torch.int64, torch.int32):
            raise CalibrationError(f"{name}: {part} is {value.dtype}, and has to be torch.int64")
    elif (part in _READ or part in _EMBEDDED) and not value.is_floating_point():
        raise CalibrationError(f"{name}: {part} is {value.dtype}, and has to be floating point")


def _check_mask(batch: Batch, part: str, mask: str, name: str) -> None:
    """Compare a mask of tokens with what it masks; masks of more dimensions are of pairs."""
    value, allowed = batch[part], batch[mask]
    of_pairs = allowed.dim() != 2 or value.dim() != _DIMENSIONS[part]
    if of_pairs or batch.get("past_key_values") is not None:
        return
    if allowed.shape != value.shape[:2]:
        raise CalibrationError(
            f"{name}: {mask} has the shape {tuple(allowed.shape)}, and {part} "
            f"{tuple(value.shape)}: both have to count the same rows and tokens"
        )


def _check_finite(batch: Batch, name: str) -> None:
    """Look for NaN and infinity in numbers; padding may be anything."""
    for part in (*_READ[1:], "decoder_inputs_embeds"):
        value, mask = batch.get(part), batch.get(_EMBEDDED.get(part, ""))
        if not isinstance(value, Tensor):
            continue
        if mask is not None and mask.shape == value.shape[:2]:
            value = value[mask.bool().to(value.device)]
        if not bool(torch.isfinite(value).all()):
            raise CalibrationError(f"{name}: {part} holds NaN or infinite values")


def _check_vocabulary(model: Any, batch: Batch, name: str) -> None:
    """Look for ids that no token has, but not beside images and sounds, for which some stand."""
    if _given(batch) != ["input_ids"]:
        return
    ids = batch["input_ids"]
    try:
        embedding = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return
    if not (isinstance(embedding, nn.Embedding) and ids.dim() == 2 and ids.numel()):
        return
    low, high = (int(bound) for bound in ids.aminmax())
    if low < 0 or high >= embedding.num_embeddings:
        raise CalibrationError(
            f"{name}: input_ids holds {low if low < 0 else high}, and the model's vocabulary is "
            f"0 to {embedding.num_embeddings - 1}: use the tokenizer of this model"
        )


def _check_read(model: nn.Module, batch: Batch, name: str) -> None:
    """Look for tensors that nobody reads: where a model takes any keyword, it would say nothing."""
    from transformers.utils import TransformersKwargs

    tensors = [part for part, value in batch.items() if isinstance(value, Tensor)]
    if not _given(batch) or all(part in _DIMENSIONS for part in tensors):
        return
    read = set(_DIMENSIONS).union(TransformersKwargs.__annotations__)
    for kind in {type(module) for module in model.modules()}:
        read.update(inspect.signature(kind.forward).parameters)
    for part in tensors:
        if part not in read:
            raise CalibrationError(
                f"{name}: {part!r} is no argument that {type(model).__name__} reads: leave it out, "
                "or correct its name"
            )


def _given(batch: Batch) -> list[str]:
    """What there is for a model to read."""
    return [part for part in _READ if batch.get(part) is not None]


def _tokens(model: nn.Module, batch: Batch, name: str, decodes: bool) -> Tokens | None:
    """The tokens of a batch; None where it is empty, or nothing but padding."""
    if not (given := _given(batch)):
        parts = ", ".join(sorted(map(str, batch))) or "nothing"
        raise CalibrationError(f"{name} needs input_ids, or one of {_READ[1:]}, got {parts}")
    part, value = given[0], batch[given[0]]
    if not isinstance(value, Tensor):
        raise CalibrationError(f"{name}: {part} without a text beside it has to be one tensor")
    if not value.numel():
        return None
    if part == "pixel_values":
        return Tokens(image_tokens(model, value))
    if part in _MASKS:
        keep = _unmasked(batch, part)
    else:  # all frames count, though a model may read several as one token
        keep = torch.ones(len(value), max(value.shape[1:]), dtype=torch.bool, device="cpu")
    decoded = _decoded(batch, keep) if decodes else keep[:0]
    count = int(keep.sum()) + int(decoded.sum())
    if not count or (decodes and not decoded.numel()):
        return None
    return Tokens(count, *(None if bool(one.all()) else one for one in (keep, decoded)))


def _unmasked(batch: Batch, part: str) -> Tensor:
    """Which tokens are no padding, (B, L); all of them where a mask is of pairs."""
    value, mask = batch[part], batch.get(_MASKS[part])
    if mask is None or (mask.dim() > 2 and mask.shape != value.shape):
        return torch.ones(value.shape[:2], dtype=torch.bool, device="cpu")
    unmasked: Tensor = mask.bool().cpu()
    return unmasked


def _decoded(batch: Batch, encoded: Tensor) -> Tensor:
    """Which tokens of a decoder are no padding, (B, L)."""
    mask, labels = batch.get("decoder_attention_mask"), batch.get("labels")
    if mask is not None and mask.dim() == 2:
        return mask.bool().cpu()
    for part in ("decoder_input_ids", "decoder_inputs_embeds"):
        if batch.get(part) is not None:
            return torch.ones(batch[part].shape[:2], dtype=torch.bool, device="cpu")
    if isinstance(labels, Tensor) and labels.dim() == 2:
        return (labels != IGNORED).cpu()
    return encoded  # a head that lets the decoder read the encoder's tokens
