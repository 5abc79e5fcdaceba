"""A real encoder, converted in one call, on texts unseen in calibration.

What the published grid is held to stands in tests/pipeline/test_published_bounds.py.
"""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import las
from las.data.calibration import calibration_texts
from tests.conversion.real import DUMP, SENTENCE, hold_together

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def two_threads(one_thread) -> None:
    torch.set_num_threads(2)


def test_minilm_is_lossless(fetched):
    dump = fetched("dataset", "wikipedia") / DUMP
    directory = fetched("model", "minilm-l6")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    ann, snn = (AutoModel.from_pretrained(directory).eval() for _ in range(2))
    las.convert(snn, calibration_texts(dump, tokenizer, count=128, length=256, batch_size=16))
    assert las.audit(snn).clean
    batch = tokenizer([SENTENCE, "tiger"], return_tensors="pt", padding=True)
    keep = batch["attention_mask"].bool()
    with torch.no_grad():
        original = ann(**batch).last_hidden_state[keep]
        spiking = snn(**batch).last_hidden_state[keep]
    assert float((spiking - original).norm() / original.norm()) <= 1e-3
    hold_together(snn.double(), batch)
