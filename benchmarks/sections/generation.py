"""Greedy generation after a short prompt, with a cache."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.models import load_original, load_spiking, random_tokens
from benchmarks.records import SNN, Case
from benchmarks.rounds import interleave, timed
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.settings import Settings


def measure(
    settings: Settings, prompt: int = 16, count: int = 128, model: str = LANGUAGE_MODEL
) -> list[Case]:
    """Time `generate`, prompt included."""
    ann, snn = load_original(settings, model), load_spiking(settings, model)
    ids = random_tokens(ann, 1, prompt)

    def generate(one: Any) -> None:
        made = one.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=count,
            max_new_tokens=count,
        )
        assert made.shape[1] == prompt + count

    name = f"{count} tokens after {prompt}"
    variants = {"ann": timed(lambda: generate(ann)), "snn": timed(lambda: generate(snn))}
    series = interleave(variants, settings, name)
    return [Case(name, series, (SNN,), tokens=count)]
