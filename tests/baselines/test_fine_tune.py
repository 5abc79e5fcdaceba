"""Quantisation-aware training before the neurons are put in."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import BertForSequenceClassification

import las
from las import baselines
from las.baselines import METHODS, convert, fine_tune
from las.baselines.site import Site
from las.errors import CalibrationError, TrainingError, UnsupportedModelError
from las.hosts.twin import twin
from tests.tiny_models import plain


def thresholds(model):
    return {site.serves: site.threshold for site in model.modules() if isinstance(site, Site)}


def loss(model, batches):
    with torch.no_grad():
        return sum(float(model(**batch).loss) for batch in batches)


@pytest.fixture
def classifier():
    return plain.make(BertForSequenceClassification, vocab_size=64, num_labels=2)


@pytest.fixture
def labelled():
    """Texts whose label says whether their second token is one of the upper half."""
    generator = torch.Generator().manual_seed(1)
    texts = [torch.randint(2, 64, (8, 8), generator=generator) for _ in range(4)]
    return [{"input_ids": ids, "labels": (ids[:, 1] >= 32).long()} for ids in texts]


@pytest.mark.parametrize("name", ["qcfs", "fas", "spikezip-tf"])
def test_it_lowers_the_loss_of_the_spiking_model(name, classifier, labelled):
    untuned = convert(twin(classifier), labelled, name, time_steps=4)
    tuned = fine_tune(twin(classifier), labelled, name, steps=40, time_steps=4, learning_rate=1e-2)
    assert loss(tuned, labelled) < 0.8 * loss(untuned, labelled)
    before, after = thresholds(untuned), thresholds(tuned)
    assert before.keys() == after.keys()
    assert all(bool((threshold > 0).all()) for threshold in after.values())
    assert any(not torch.allclose(before[path], after[path], rtol=0.01) for path in after)
    with las.count_spikes(tuned) as spikes:
        tuned(**labelled[0])
    assert spikes.spikes > 0
    assert not tuned.training


def test_the_same_batches_give_the_same_weights(classifier, labelled):
    first, second = (
        fine_tune(twin(classifier), labelled, "qcfs", steps=5, time_steps=2) for _ in range(2)
    )
    torch.manual_seed(1)  # whatever has been drawn before
    third = fine_tune(twin(classifier), labelled, "qcfs", steps=5, time_steps=2)
    for other in (second, third):
        for x, y in zip(first.state_dict().values(), other.state_dict().values(), strict=True):
            assert torch.equal(x, y)


def test_the_original_keeps_its_weights_and_all_keep_the_word_embeddings(classifier, labelled):
    weights = {name: x.clone() for name, x in classifier.state_dict().items()}
    tuned = fine_tune(twin(classifier), labelled, "fas", steps=3, time_steps=2)
    assert all(torch.equal(x, weights[name]) for name, x in classifier.state_dict().items())
    changed = {n for n, x in tuned.named_parameters() if not torch.equal(x, weights[n])}
    assert "bert.embeddings.word_embeddings.weight" not in changed
    assert "classifier.weight" in changed


def test_saved_and_loaded_it_is_the_same(classifier, labelled, tmp_path):
    tuned = fine_tune(twin(classifier), labelled, "qcfs", steps=3, time_steps=2)
    baselines.save(tuned, tmp_path, classifier)
    weights = {name: x.clone() for name, x in classifier.state_dict().items()}
    loaded = baselines.load(twin(classifier), tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded(**labelled[0]).logits, tuned(**labelled[0]).logits)
    assert all(torch.equal(x, weights[name]) for name, x in classifier.state_dict().items())


def test_a_batch_of_padding_alone_is_no_step(classifier, labelled):
    padding = {name: x[:, :0] if x.ndim > 1 else x for name, x in labelled[0].items()}
    first, second = (
        fine_tune(twin(classifier), batches, "qcfs", steps=3, time_steps=2)
        for batches in (labelled, [padding, *labelled])
    )
    for x, y in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(x, y)


def test_what_it_cannot_do_is_said(classifier, labelled, make_batches):
    with pytest.raises(CalibrationError, match="calibration batch 0 has no labels"):
        fine_tune(classifier, make_batches(), "qcfs", steps=1)
    with pytest.raises(CalibrationError, match="no calibration batches"):
        fine_tune(classifier, [], "qcfs", steps=1)
    with pytest.raises(ValueError, match='take one with thresholds "error"'):
        fine_tune(classifier, labelled, "ecmt", steps=1)
    with pytest.raises(ValueError, match="steps"):
        fine_tune(classifier, labelled, "qcfs", steps=0)
    with pytest.raises(UnsupportedModelError, match="no transformers model"):
        fine_tune(torch.nn.Linear(2, 2), labelled, "qcfs", steps=1)


def test_after_an_error_the_model_is_as_it_was(classifier, labelled):
    weights = [*classifier.parameters()]
    values = [x.detach().clone() for x in weights]
    short = replace(METHODS["qcfs"], time_steps=2)
    with pytest.raises(TrainingError, match="Lower the learning rate"):
        fine_tune(classifier, labelled, short, steps=8, learning_rate=1e30)
    assert all(x is y for x, y in zip(classifier.parameters(), weights, strict=True))
    assert all(torch.equal(x, y) for x, y in zip(weights, values, strict=True))
    assert not thresholds(classifier) and not classifier.training
    assert not any(module._forward_pre_hooks for module in classifier.modules())
