"""Networks over time beside the plain quantised networks that theory says they reach."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from transformers import BertModel, GPT2LMHeadModel, OPTForCausalLM

import las
from las import baselines
from las.baselines import METHODS, Method, convert, left_float
from las.baselines.neurons import STBIF, IntegrateAndFire, OffsetSpike, Phase
from las.baselines.site import Site
from las.errors import AdapterError, CalibrationError, UnsupportedModelError
from las.hosts.twin import twin
from tests.tiny_models import plain


def sites(model):
    """The neurons of a baseline by the path of the layer that reads them."""
    return {site.serves: site for site in model.modules() if isinstance(site, Site)}


def quantised(ann, thresholds, levels, parts=1):
    """A model whose linear layers read clipped and rounded inputs."""
    model = copy.deepcopy(ann)
    for path, threshold in thresholds.items():

        def rounded(layer, args, threshold=threshold):
            step = threshold.double() / parts
            x = args[0]
            return ((x.abs() / step + 0.5).floor().clamp(max=levels) * step * x.sign(),)

        model.get_submodule(path).register_forward_pre_hook(rounded)
    return model


def error(x, y):
    return float((x - y).norm() / y.norm())


@pytest.fixture
def batches(make_batches):
    return make_batches(rows=3, length=12)


@pytest.mark.parametrize("time", ["difference", "layerwise"])
def test_st_bif_reaches_the_quantised_network_once_there_is_time_enough(bert, batches, time):
    ann = bert.double()
    method = Method(STBIF(maximum=6), time, "linear", "error", "channel", 120)
    snn = convert(twin(ann), batches, method)
    expected = quantised(ann, {path: site.threshold for path, site in sites(snn).items()}, 6)
    with torch.no_grad():
        given, wanted = snn(**batches[0])[0], expected(**batches[0])[0]
        assert error(given, wanted) < 1e-9
        assert error(ann(**batches[0])[0], wanted) > 0.01


def test_pairs_of_if_neurons_quantise_a_constant_input(batches):
    ann = plain.make(BertModel, num_hidden_layers=1, vocab_size=64).double()
    snn = convert(twin(ann), batches, replace(METHODS["qcfs"], sites="ffn"), time_steps=8)
    assert list(sites(snn)) == ["encoder.layer.0.output.dense"]
    thresholds = {path: site.threshold for path, site in sites(snn).items()}
    expected = quantised(ann, thresholds, 8, parts=8)
    with torch.no_grad():
        assert error(snn(**batches[0])[0], expected(**batches[0])[0]) < 1e-9


def test_instantaneous_outputs_are_means_over_time(batches):
    ann = plain.make(BertModel, num_hidden_layers=1, vocab_size=64).double()
    method = Method(IntegrateAndFire(), "instantaneous", "ffn", "error", "tensor", 3)
    snn = convert(twin(ann), batches, method)
    (site,) = sites(snn).values()
    seen, outputs = [], []
    layer = snn.encoder.layer[0].output.dense
    layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    snn.encoder.register_forward_hook(lambda _, args, output: outputs.append(output[0]))
    with torch.no_grad():
        given = snn(**batches[0]).last_hidden_state
    spikes = torch.stack(seen) / site.threshold
    assert set(spikes.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert torch.allclose(given, torch.stack(outputs).mean(0), atol=1e-12)


def test_more_time_steps_bring_a_compensated_network_nearer(bert, batches):
    errors = []
    with torch.no_grad():
        for steps in (4, 16, 64):
            method = replace(METHODS["spikezip-tf"], time="expectation")
            snn = convert(twin(bert), batches, method, time_steps=steps)
            errors.append(error(snn(**batches[0])[0], bert(**batches[0])[0]))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 4


def test_a_warm_up_is_no_part_of_what_comes_out(bert, batches):
    """A shift of the initial potential that never comes leaves plain integrate-and-fire."""

    class NeverShifted(OffsetSpike):
        def restart(self, state):
            return self.begin(state.v)

    plain_if = replace(METHODS["qcfs"], time_steps=5)
    with torch.no_grad():
        expected = convert(twin(bert), batches, plain_if)(**batches[0])[0]
        warmed = replace(plain_if, neuron=NeverShifted(warm_up=3))
        given = convert(twin(bert), batches, warmed)(**batches[0])[0]
    assert torch.equal(given, expected)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (plain.bert, ["encoder.layer.0.output.dense", "encoder.layer.1.output.dense"]),
        (plain.llama, ["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"]),
        (
            lambda: plain.make(GPT2LMHeadModel),
            ["transformer.h.0.mlp.c_proj", "transformer.h.1.mlp.c_proj"],
        ),
        (
            lambda: plain.make(OPTForCausalLM),
            ["model.decoder.layers.0.fc2", "model.decoder.layers.1.fc2"],
        ),
    ],
)
def test_feed_forward_sites_of_architectures(make, expected, batches):
    snn = convert(make(), batches, "fas", time_steps=2)
    assert list(sites(snn)) == expected
    assert torch.isfinite(snn(**batches[0])[0]).all()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_runs_and_says_what_it_leaves_float(name, llama, batches):
    snn = convert(twin(llama), batches, name)
    with las.count_spikes(snn) as spikes:
        logits = snn(**batches[0]).logits
    assert torch.isfinite(logits).all()
    assert spikes.spikes > 0
    assert las.energy(snn, spikes).total.ratio > 0
    left = left_float(snn)
    assert left["LlamaRMSNorm"] == 5
    assert left["attention's products and softmax"] == 2
    assert left.get("Linear", 0) == (13 if METHODS[name].sites == "ffn" else 0)


def test_one_spike_a_value_at_most(bert, batches):
    snn = convert(bert, batches, "spikedattention")
    with las.count_spikes(snn) as spikes:
        snn(**batches[0])
    for site in spikes.sites.values():
        assert 0 < site.spikes <= site.activations
    assert isinstance(next(iter(sites(snn).values())).method.neuron, Phase)


def test_spikes_are_counted_where_they_are_emitted(batches):
    ann = plain.make(BertModel, num_hidden_layers=1, vocab_size=64)
    snn = convert(ann, batches, replace(METHODS["fas"], time_steps=3))
    fired = []
    layer = snn.encoder.layer[0].output.dense
    layer.register_forward_pre_hook(lambda _, args: fired.append(int((args[0] != 0).sum())))
    with las.count_spikes(snn) as spikes:
        snn(**batches[0])
    path = "encoder.layer.0.output.dense"
    assert spikes.sites[f"{path}.baseline_neurons"].spikes == sum(fired)
    assert spikes.sites[f"{path}.baseline_neurons"].activations == 3 * 12 * 32
    assert spikes.operations[path].sops == 16 * sum(fired)
    query = spikes.operations["encoder.layer.0.attention.self.query"]
    assert (query.macs, query.dense_macs) == (3 * 12 * 16 * 16, 3 * 3 * 12 * 16 * 16)


def test_the_dense_model_is_the_original_without_padding(llama, make_batches):
    batches = make_batches(padding=5)  # texts of 24 and of 19 tokens
    snn = convert(llama, batches, "fas", time_steps=2)
    with las.count_spikes(snn) as spikes:
        snn(**batches[0])
    of_layer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48  # queries, output; keys, values; gated FFN
    pairs = 24 * 25 // 2 + 19 * 20 // 2
    expected = {"linear": 43 * (2 * of_layer + 32 * 64), "matmul": 2 * 2 * pairs * 4 * 8}
    for kind, macs in expected.items():
        found = [op for op in spikes.operations.values() if op.kind == kind]
        assert sum(op.macs for op in found) == macs
    assert spikes.tokens == 43


def test_copies_run_by_themselves(bert, batches):
    snn = convert(bert, batches, "spikezip-tf", time_steps=4)
    other = copy.deepcopy(snn)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
        first = snn(**batches[0])[0]
        assert not torch.allclose(other(**batches[0])[0], first)
        assert torch.equal(snn(**batches[0])[0], first)


def test_generation_without_a_cache(llama, batches):
    snn = convert(llama, batches, "ecmt")
    prompt = batches[0]["input_ids"][:1, :4]
    assert snn.generate(prompt, max_new_tokens=3, do_sample=False).shape == (1, 7)
    with pytest.raises(UnsupportedModelError, match="use_cache=False"):
        snn(prompt, use_cache=True)


@pytest.mark.parametrize("name", METHODS)
def test_how_many_inputs_go_at_once_changes_nothing(name, bert, batches, monkeypatch):
    snn = convert(bert, batches, name, time_steps=3)
    found = []
    for at_once in (1, 100, 2**15):
        monkeypatch.setattr("las.baselines.population._AT_ONCE", at_once)
        with las.count_spikes(snn) as spikes:
            found.append((snn(**batches[0])[0], spikes))
    for output, spikes in found[1:]:
        assert torch.equal(output, found[0][0])
        assert spikes == found[0][1]


def test_unknown_methods_and_time_steps(bert, batches):
    with pytest.raises(ValueError, match="one of qcfs, srp"):
        convert(bert, batches, "qcsf")
    for steps in (0, 1025, 2.5, True):
        with pytest.raises(ValueError, match="time_steps"):
            convert(bert, batches, "qcfs", time_steps=steps)
    with pytest.raises(ValueError, match="sites must be one of"):
        replace(METHODS["qcfs"], sites="attention")
    assert not sites(bert)


def test_models_and_batches_that_do_not_do(bert, batches):
    with pytest.raises(UnsupportedModelError, match="no transformers model"):
        convert(torch.nn.Linear(2, 2), batches, "qcfs")
    with pytest.raises(CalibrationError, match="no calibration batches"):
        convert(bert, [], "qcfs")
    with pytest.raises(UnsupportedModelError, match="is no baseline"):
        left_float(bert)
    with torch.no_grad():
        bert.encoder.layer[0].output.dense.weight[0, 0] = torch.nan
    with pytest.raises(CalibrationError, match="NaN or infinite values at the input of encoder"):
        convert(bert, batches, "qcfs")
    assert not sites(bert)
    with torch.no_grad():
        bert.encoder.layer[0].output.dense.weight[0, 0] = 0.1
    convert(bert, batches, "qcfs")
    with pytest.raises(UnsupportedModelError, match="baseline already"):
        convert(bert, batches, "qcfs")


def test_a_model_without_linear_layers_in_use(batches):
    model = plain.bert()
    model.encoder.layer = torch.nn.ModuleList()
    model.pooler = None
    with pytest.raises(UnsupportedModelError, match="no linear layer"):
        convert(model, batches, "qcfs")


def test_saved_and_loaded_it_is_the_same(llama, batches, tmp_path):
    saved = convert(twin(llama), batches, "cos", time_steps=3)
    baselines.save(saved, tmp_path)
    loaded = baselines.load(twin(llama), tmp_path)
    tallies = []
    for model in (saved, loaded):
        with las.count_spikes(model) as spikes:
            tallies.append((model(**batches[0]).logits, spikes))
    assert torch.equal(tallies[0][0], tallies[1][0])
    assert tallies[0][1] == tallies[1][1]
    with torch.no_grad():
        llama.lm_head.weight[0, 0] += 1
    with pytest.raises(AdapterError, match="belongs to a model with fingerprint"):
        baselines.load(llama, tmp_path)
    (tmp_path / "baseline.safetensors").write_bytes(b"none")
    with pytest.raises(AdapterError, match="damaged"):
        baselines.load(llama, tmp_path)
    assert not sites(llama)
