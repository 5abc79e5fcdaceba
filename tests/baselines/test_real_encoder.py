"""Published neurons in a real encoder that was not fine-tuned for them: near, and not lossless."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import las
from las.baselines import METHODS, convert
from las.data.calibration import calibration_texts
from las.hosts.twin import twin
from tests.conversion.real import DUMP, SENTENCE

pytestmark = pytest.mark.slow


@torch.no_grad()
def test_neurons_differ_in_how_near_they_come(fetched):
    dump = fetched("dataset", "wikipedia") / DUMP
    directory = fetched("model", "minilm-l6")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    ann = AutoModel.from_pretrained(directory).eval()
    batches = list(calibration_texts(dump, tokenizer, count=32, length=128, batch_size=16))
    batch = tokenizer([SENTENCE, "tiger"], return_tensors="pt", padding=True)
    keep = batch["attention_mask"].bool()
    original = ann(**batch).last_hidden_state[keep]

    def error(method):
        snn = convert(twin(ann), batches, method, time_steps=16)
        with las.count_spikes(snn) as spikes:
            hidden = snn(**batch).last_hidden_state[keep]
        assert spikes.tokens == int(keep.sum())
        return float((hidden - original).norm() / original.norm())

    rounded = error(replace(METHODS["spikezip-tf"], time="layerwise"))
    st_bif, fires, silenced = (error(name) for name in ("spikezip-tf", "qcfs", "srp"))
    assert 0.1 < rounded < st_bif < fires < silenced < 0.8
