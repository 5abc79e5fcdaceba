"""Layers that read one tensor: their neurons fire once, and nothing shows that they do."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from transformers import BertModel, LlamaForCausalLM

import las
from las.baselines import METHODS, convert
from las.baselines.fired import FiredInPass
from las.baselines.neurons import IntegrateAndFire
from las.hosts.twin import twin
from tests.tiny_models import plain

STEPS = 3


class Counted(IntegrateAndFire):
    """Counts how often neurons of this kind have taken a time step."""

    steps: ClassVar[list[int]] = []

    def step(self, current, state, t):
        self.steps.append(t)
        return super().step(current, state, t)


def steps_of(snn, batch):
    """How many populations take a step in each pass."""
    Counted.steps.clear()
    snn(**batch)
    found = {Counted.steps.count(t) for t in range(1, STEPS + 1)}
    assert len(found) == 1
    return found.pop()


@pytest.fixture
def batches(make_batches):
    return make_batches(rows=3, length=12, padding=4)


@pytest.fixture
def by_itself(monkeypatch):
    """Lets no layer find what others have fired."""

    def do():
        monkeypatch.setattr(FiredInPass, "find", lambda self, x, neurons, threshold: None)

    return do


def one_layer(kind, batches, method="qcfs"):
    model = plain.make(kind, num_hidden_layers=1, vocab_size=64)
    return convert(model, batches, method, time_steps=STEPS)


def attention(snn):
    return snn.encoder.layer[0].attention.self


def figures(snn, batch):
    with las.count_spikes(snn) as spikes:
        output = snn(**batch)[0]
    return output, spikes


def same(some, others):
    return torch.equal(some[0], others[0]) and some[1] == others[1]


@pytest.mark.parametrize(
    ("kind", "shared", "alone"),
    [
        (BertModel, 5, 7),  # query, key and value; output; the two of the FFN; pooler
        (LlamaForCausalLM, 5, 8),  # query, key and value; output; gate and up; down; head
    ],
)
def test_layers_that_read_one_tensor_fire_once(kind, shared, alone, batches, by_itself):
    snn = one_layer(kind, batches, replace(METHODS["qcfs"], neuron=Counted()))
    assert steps_of(snn, batches[0]) == shared
    assert steps_of(copy.deepcopy(snn), batches[0]) == shared
    assert steps_of(pickle.loads(pickle.dumps(snn)), batches[0]) == shared
    with torch.inference_mode():  # where changes in place leave no trace
        assert steps_of(snn, batches[0]) == alone
    by_itself()
    assert steps_of(snn, batches[0]) == alone


@pytest.mark.parametrize("name", METHODS)
def test_figures_are_those_of_neurons_for_each_layer(name, llama, batches, by_itself):
    snn = convert(twin(llama), batches, name, time_steps=STEPS)
    shared = figures(snn, batches[0])
    by_itself()
    assert same(shared, figures(snn, batches[0]))


def other_numbers(x):
    return 1.5 * x


def changed_in_place(x):
    return x.mul_(1.5)


@pytest.mark.parametrize("change", [torch.clone, other_numbers, changed_in_place])
@pytest.mark.parametrize("since", [1, 2, 5, 6])
@pytest.mark.parametrize("layer", ["query", "key", "value"])
def test_a_layer_that_is_given_another_tensor_fires_itself(
    change, since, layer, batches, by_itself
):
    """From the first pass on, in a warm-up of 4 steps, from its end on, or after it."""
    snn = one_layer(BertModel, batches, "srp")
    passes = []

    def before(_, args):
        passes.append(1)
        return (change(args[0]),) if len(passes) >= since else None

    getattr(attention(snn), layer).register_forward_pre_hook(before, prepend=True)
    shared = figures(snn, batches[0])
    by_itself()
    passes.clear()
    assert same(shared, figures(snn, batches[0]))


def test_a_layer_that_once_read_another_tensor_never_shares_again(batches):
    snn = one_layer(BertModel, batches, replace(METHODS["qcfs"], neuron=Counted()))
    passes = []

    def before(_, args):
        passes.append(1)
        return (args[0].clone(),) if len(passes) == 2 else None

    attention(snn).key.register_forward_pre_hook(before, prepend=True)
    Counted.steps.clear()
    snn(**batches[0])
    assert [Counted.steps.count(t) for t in (1, 2, 3)] == [5, 6, 6]
    Counted.steps.clear()
    snn(**batches[0])  # another run
    assert [Counted.steps.count(t) for t in (1, 2, 3)] == [5, 5, 5]


def test_other_thresholds_are_other_neurons(batches, by_itself):
    snn = one_layer(BertModel, batches, replace(METHODS["qcfs"], neuron=Counted()))
    attention(snn).key.baseline_neurons.threshold[3] *= 2
    assert steps_of(snn, batches[0]) == 6
    shared = figures(snn, batches[0])
    by_itself()
    assert same(shared, figures(snn, batches[0]))


def test_a_layer_that_is_called_twice_counts_twice(batches, by_itself):
    ann = plain.make(BertModel, num_hidden_layers=1, vocab_size=64)
    ann.encoder.layer[0].attention.self.key = ann.encoder.layer[0].attention.self.query
    snn = convert(ann, batches, "cos", time_steps=STEPS)
    shared = figures(snn, batches[0])
    sites = shared[1].sites
    path = "encoder.layer.0.attention.self.{}.baseline_neurons"
    assert sites[path.format("query")].spikes == 2 * sites[path.format("value")].spikes
    by_itself()
    assert same(shared, figures(snn, batches[0]))


def test_nothing_is_left_of_a_run_that_failed(batches):
    snn = one_layer(BertModel, batches)
    whole = figures(snn, batches[0])
    passes = []

    def fails(*_):
        passes.append(1)
        if len(passes) == 2:
            raise RuntimeError("stop")

    handle = attention(snn).value.register_forward_pre_hook(fails)
    with pytest.raises(RuntimeError, match="stop"):
        snn(**batches[1])
    handle.remove()
    assert same(whole, figures(snn, batches[0]))
