"""The forward pass of a sentence encoder over a batch, full and padded."""

from __future__ import annotations

import torch

from benchmarks.models import load_original, load_spiking, random_tokens
from benchmarks.passes import compare_passes
from benchmarks.records import COUNTING, SNN, Case
from benchmarks.sections import ENCODER
from benchmarks.settings import Settings


def measure(
    settings: Settings, batch: int = 32, length: int = 128, model: str = ENCODER
) -> list[Case]:
    """Time a batch of sequences of one length, and of lengths from an eighth of it to all."""
    ann, snn = load_original(settings, model), load_spiking(settings, model)
    ids = random_tokens(ann, batch, length)
    full = torch.ones_like(ids)
    lengths = torch.linspace(length // 8, length, batch).long()
    padded = (torch.arange(length) < lengths[:, None]).long()
    cases = []
    for name, mask in (("", full), (", padded", padded)):
        title = f"{batch} x {length}{name}"
        inputs = {"input_ids": ids, "attention_mask": mask}
        cases.append(
            Case(
                title,
                compare_passes(ann, snn, inputs, settings, title),
                (SNN, COUNTING),
                parameters={"batch": batch, "length": length},
                tokens=int(mask.sum()),
            )
        )
    return cases
