"""The identity of a base model: what an adapter belongs to."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

_SAMPLES = 32


def fingerprint(model: nn.Module) -> str:
    """A digest of the names, shapes and sampled values of a model's parameters.

    Values are read in bfloat16, so that the same weights in another precision keep their identity;
    32 values of each parameter tell a fine-tuned model from its base.
    """
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        flat = parameter.detach().reshape(-1)
        where = torch.linspace(0, flat.numel() - 1, _SAMPLES, dtype=torch.float64).long()
        sample = flat[where.to(flat.device)].to(torch.bfloat16).cpu().view(torch.int16)
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        digest.update(sample.numpy().tobytes())
    return digest.hexdigest()[:32]
