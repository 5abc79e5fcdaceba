"""Checksums of tensors."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def digest_of(tensor: Tensor) -> str:
    """16 hexadecimal digits of the sha256 of a tensor's dtype, shape and bytes."""
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    values = tensor.detach().cpu().contiguous().reshape(-1)
    digest.update(values.view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
