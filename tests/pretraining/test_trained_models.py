"""The language models that `make repro` trained, against tables of counts from the same text."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from las.data.wikipedia import articles, raw_pages
from las.data.windows import evenly_spaced, token_windows

DATA = Path(__file__).parents[2] / "data"
LENGTH = 512
PRIOR = 50.0
"""Occurrences by which a bigram table trusts the unigram table where a token is rare."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2-wiki", "opt-wiki"])
def test_a_trained_language_model_knows_more_than_counts(name: str) -> None:
    folder = DATA / "models" / name
    if not (folder.exists() and (DATA / "assets" / "wikipedia").exists()):
        pytest.skip(f"data/models/{name} has not been trained")
    (dump,) = (DATA / "assets" / "wikipedia").glob("*.bz2")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()

    def windows(kind: str, split: str) -> Tensor:
        texts = (
            (article.text for article in articles(dump, split))  # type: ignore[arg-type]
            if kind == "prose"
            else raw_pages(dump, split)  # type: ignore[arg-type]
        )
        return torch.stack([w.input_ids for w in token_windows(texts, tokenizer, LENGTH)])

    train = torch.cat([windows("prose", "calibration"), windows("xml", "calibration")])
    unigram = torch.bincount(train.flatten(), minlength=len(tokenizer)) + 1.0
    unigram /= unigram.sum()
    pairs = torch.zeros(len(tokenizer), len(tokenizer))
    pairs.view(-1).index_add_(
        0,
        (train[:, :-1] * len(tokenizer) + train[:, 1:]).flatten(),
        torch.ones(train[:, 1:].numel()),
    )
    bigram = (pairs + PRIOR * unigram) / (pairs.sum(1, keepdim=True) + PRIOR)

    for kind in ("prose", "xml"):
        ids = torch.stack(evenly_spaced(list(windows(kind, "held-out")), 8))
        before, after = ids[:, :-1].flatten(), ids[:, 1:].flatten()
        with torch.no_grad():
            learnt = math.exp(model(input_ids=ids, labels=ids).loss.item())
        by_counts = math.exp(-unigram[after].log().mean().item())
        by_pairs = math.exp(-bigram[before, after].log().mean().item())
        print(f"{name} {kind}: {learnt:.1f}; unigram {by_counts:.1f}, bigram {by_pairs:.1f}")
        assert learnt < by_pairs < by_counts
