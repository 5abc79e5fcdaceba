"""A small part of the calibration data: to find out who reads what, and to prove a conversion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from las.calibration.batches import Batch
from las.errors import CalibrationError
from las.files.atomic import atomic_file
from las.files.seal import DamagedFileError, checked, seal
from las.hosts.stacks import stacks

FORMAT = "las-sample-2"
"""Files of before had no format."""

_FEW = 8
_DECODER = "decoder_"
_MASKS = ("attention_mask", f"{_DECODER}attention_mask")


def one_row(batch: Batch) -> dict[str, Any]:
    """One sequence or image of a batch, or all of it where its tensors count different things.

    It is the first one that is not all padding, without what is hidden before its first token: what
    attention makes of a query that sees no key differs from model to model.
    """
    tensors = [value for value in batch.values() if isinstance(value, Tensor)]
    rows = {len(value) for value in tensors if value.dim()}
    by_token = all(value.dim() == 2 for value in tensors)
    if len(rows) != 1 or not (by_token or len(tensors) == 1):
        return dict(batch)
    masks = {name: x.bool() for name in _MASKS if isinstance(x := batch.get(name), Tensor)}
    seen = [mask.any(1) for mask in masks.values() if mask.dim() == 2]
    row = int(torch.stack(seen).int().sum(0).argmax()) if seen else 0
    one = slice(row, row + 1)
    kept = {name: x[one] if isinstance(x, Tensor) and x.dim() else x for name, x in batch.items()}
    for name, mask in masks.items():
        if by_token and len(mask):
            kept = _from_the_first_token(kept, name, mask[row])
    return kept


def _from_the_first_token(batch: Batch, mask_name: str, seen: Tensor) -> dict[str, Any]:
    """One row of tokens, of an encoder or a decoder, without those that a mask hides at its start.

    A mask that hides all of them is left out.
    """
    if not seen.any():
        return {name: x for name, x in batch.items() if name != mask_name}
    first = int(seen.int().argmax())
    decoder = mask_name.startswith(_DECODER)
    return {
        name: x[:, first:]
        if isinstance(x, Tensor)
        and x.shape[1:] == seen.shape
        and (name.startswith(_DECODER) or name == "labels") == decoder
        else x
        for name, x in batch.items()
    }


def few_tokens(model: nn.Module, batch: Batch) -> dict[str, Any]:
    """One sequence of a few tokens, or one row where a batch holds more than tokens."""
    tensors = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
    plain = all(value.ndim == 2 or name == "inputs_embeds" for name, value in tensors.items())
    plain = plain and not tensors.keys().isdisjoint(("input_ids", "inputs_embeds"))
    if len(stacks(model)) > 1 or not plain or len({x.shape[:2] for x in tensors.values()}) != 1:
        return one_row(batch)
    short = {name: value[:1, :_FEW].clone() for name, value in tensors.items()}
    return {**batch, **short}


def save_sample(batch: Batch, path: Path) -> None:
    """Keep the tensors of a batch in a file, to compare on later."""
    tensors = {name: x.contiguous() for name, x in batch.items() if isinstance(x, Tensor)}
    content = seal(save(tensors, {"format": FORMAT}))
    with atomic_file(path) as partial:
        partial.write_bytes(content)


def load_sample(path: Path) -> dict[str, Tensor]:
    """Read a file written by `save_sample`.

    Raises:
        CalibrationError: the file is missing, truncated, changed or of another kind.
    """
    try:
        content = path.read_bytes()
        checked(content, FORMAT, None)
        return dict(load(content))
    except (OSError, DamagedFileError, SafetensorError, ValueError, KeyError) as error:
        raise CalibrationError(
            f"cannot read the sample from {path} ({error}): collect it again"
        ) from error
