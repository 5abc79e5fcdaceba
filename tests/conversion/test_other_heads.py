"""A spiking checkpoint in another model class of its family: the base model, or another head."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    DistilBertForMaskedLM,
    GPT2LMHeadModel,
    LlamaModel,
    T5ForConditionalGeneration,
    T5ForTokenClassification,
)

import las
from las.components.component import SpikingModule
from las.components.linear import SpikingLinear
from las.components.site import OATSite
from las.errors import AdapterError
from tests.tiny_models import plain

_HEADS = {
    "llama": plain.llama,
    "gpt2": lambda: plain.make(GPT2LMHeadModel, n_inner=32),
    "bert": lambda: plain.make(BertForMaskedLM),
    "distilbert": lambda: plain.make(DistilBertForMaskedLM, dim=16, hidden_dim=32, n_layers=2),
}


@pytest.fixture(scope="module", params=_HEADS)
def head(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A converted model with a head, and where it lies."""
    model = las.convert(_HEADS[request.param](), plain.batches())
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    return model, folder


def saved(model: Any, folder: Path) -> Any:
    las.convert(model, plain.batches()).save_pretrained(folder)
    return model


def run(model: Any) -> Any:
    (batch,) = plain.batches(1)
    with torch.no_grad():
        return model(**batch, output_hidden_states=True)


def body(model: Any) -> dict[str, Any]:
    """The neurons that code the inputs of a model's base, by name within it."""
    return {
        name: site.neuron
        for name, site in model.base_model.named_modules()
        if isinstance(site, OATSite)
    }


def spikes_in(part: nn.Module) -> bool:
    return any(isinstance(module, SpikingModule) for module in part.modules())


class TestFromAHeadToItsBase:
    def test_hidden_states_are_those_of_the_model_with_the_head(self, head) -> None:
        model, folder = head
        base = AutoModel.from_pretrained(folder)
        assert type(base) is type(model.base_model)
        assert torch.equal(run(base)[0], run(model).hidden_states[-1])

    def test_saved_again_it_is_a_checkpoint_of_its_own(self, head, tmp_path: Path) -> None:
        base = AutoModel.from_pretrained(head[1])
        base.save_pretrained(tmp_path)
        again = AutoModel.from_pretrained(tmp_path)
        assert body(again) == body(base)
        assert torch.equal(run(again)[0], run(base)[0])

    def test_nobody_compared_the_base_with_an_original(self, tmp_path: Path) -> None:
        model = saved(plain.llama(), tmp_path)
        assert AutoModelForCausalLM.from_pretrained(tmp_path).las_report == model.las_report
        assert not hasattr(AutoModel.from_pretrained(tmp_path), "las_report")

    def test_its_adapter_is_one_of_the_base(self, tmp_path: Path) -> None:
        saved(plain.llama(), tmp_path / "full")
        base = AutoModel.from_pretrained(tmp_path / "full")
        las.save(base, tmp_path / "adapter")
        dense = LlamaModel(plain.llama().config).eval()
        dense.load_state_dict(plain.llama().model.state_dict())
        assert torch.equal(run(las.load(dense, tmp_path / "adapter"))[0], run(base)[0])


class TestFromABaseToAHead:
    def test_the_body_spikes_and_the_new_head_does_not(self, tmp_path: Path) -> None:
        model = saved(plain.make(LlamaModel), tmp_path)
        with pytest.warns(UserWarning, match=r"knows nothing of lm_head of LlamaForCausalLM"):
            causal = AutoModelForCausalLM.from_pretrained(tmp_path)
        assert type(causal.lm_head) is nn.Linear
        assert body(causal) == body(model)
        hidden = run(causal).hidden_states[-1]
        assert torch.equal(hidden, run(model)[0])
        assert torch.equal(run(causal).logits, causal.lm_head(hidden))

    def test_the_audit_names_what_does_not_spike(self, tmp_path: Path) -> None:
        saved(plain.make(LlamaModel), tmp_path)
        with pytest.warns(UserWarning, match="lm_head"):
            causal = AutoModelForCausalLM.from_pretrained(tmp_path)
        assert {row.module for row in las.audit(causal).floats} == {"lm_head"}


class TestFromAHeadToAnother:
    @pytest.mark.parametrize(
        ("auto", "unknown"),
        [(AutoModelForSequenceClassification, "score"), (AutoModelForTokenClassification, "score")],
    )
    def test_of_a_language_model(self, auto: Any, unknown: str, tmp_path: Path) -> None:
        model = saved(plain.llama(pad_token_id=0), tmp_path)
        with pytest.warns(UserWarning, match=f"knows nothing of {unknown}"):
            other = auto.from_pretrained(tmp_path, num_labels=3)
        assert body(other) == body(model)
        assert run(other).logits.shape[-1] == 3
        assert not spikes_in(other.get_submodule(unknown))
        with las.count_spikes(other) as tally:
            run(other)
        assert tally.spikes > 0

    def test_a_pooler_is_a_part_of_the_head(self, tmp_path: Path) -> None:
        saved(plain.make(BertForMaskedLM), tmp_path)
        with pytest.warns(UserWarning, match=r"knows nothing of classifier, bert\.pooler"):
            classifier = AutoModelForSequenceClassification.from_pretrained(tmp_path)
        assert not spikes_in(classifier.bert.pooler)
        assert spikes_in(classifier.bert.encoder)
        with pytest.warns(UserWarning, match="knows nothing of pooler of BertModel"):
            assert run(AutoModel.from_pretrained(tmp_path)).pooler_output is not None
        assert spikes_in(AutoModel.from_pretrained(tmp_path, add_pooling_layer=False))

    def test_a_pooler_that_is_known_spikes(self, tmp_path: Path) -> None:
        saved(plain.make(BertForSequenceClassification, num_labels=3), tmp_path)
        base = AutoModel.from_pretrained(tmp_path)
        assert spikes_in(base.pooler)
        with pytest.warns(UserWarning, match="knows nothing of cls of BertForMaskedLM"):
            masked = AutoModelForMaskedLM.from_pretrained(tmp_path)
        assert body(masked).keys() < body(base).keys()

    def test_of_an_encoder_and_a_decoder(self, tmp_path: Path) -> None:
        model = plain.make(
            T5ForConditionalGeneration, decoder_start_token_id=0, pad_token_id=0, num_layers=2
        )
        batches = [{**batch, "labels": batch["input_ids"]} for batch in plain.batches()]
        las.convert(model, batches).save_pretrained(tmp_path)
        with pytest.warns(UserWarning, match="knows nothing of classifier"):
            tokens = T5ForTokenClassification.from_pretrained(tmp_path)
        (batch,) = plain.batches(1)
        with torch.no_grad():
            expected = model.get_encoder()(**batch)[0]
            assert torch.equal(tokens.transformer.encoder(**batch)[0], expected)

    def test_a_trained_head_comes_back_with_its_weights(self, tmp_path: Path) -> None:
        saved(plain.llama(pad_token_id=0), tmp_path / "causal")
        kind = AutoModelForSequenceClassification
        with pytest.warns(UserWarning, match="score"):
            other = kind.from_pretrained(tmp_path / "causal")
        with torch.no_grad():
            other.score.weight.fill_(0.25)
        other.save_pretrained(tmp_path / "other")
        with pytest.warns(UserWarning, match="score"):
            again = kind.from_pretrained(tmp_path / "other")
        assert torch.equal(run(again).logits, run(other).logits)


class TestWhatIsRefused:
    def test_a_checkpoint_without_the_thresholds_of_a_layer(self, tmp_path: Path) -> None:
        saved(plain.make(BertModel), tmp_path)
        path = tmp_path / "config.json"
        config = json.loads(path.read_text())
        data = config["quantization_config"]["data"]
        del config["quantization_config"]["sha256"]  # as of before there were checksums
        data["sites"] = [name.replace("layer.1.", "layer.7.") for name in data["sites"]]
        path.write_text(json.dumps(config))
        with pytest.raises(AdapterError, match=r"no parameters for .*layer\.1\."):
            AutoModel.from_pretrained(tmp_path)

    def test_a_state_of_another_family(self, tmp_path: Path) -> None:
        saved(plain.llama(), tmp_path)
        path = tmp_path / "config.json"
        config = json.loads(path.read_text())
        data = config["quantization_config"]["data"]
        del config["quantization_config"]["sha256"]  # as of before there were checksums
        data["sites"] = [f"elsewhere.{name}" for name in data["sites"]]
        data["shared"] = {}
        path.write_text(json.dumps(config))
        with pytest.raises(AdapterError, match="LlamaForCausalLM has none of its modules"):
            AutoModelForCausalLM.from_pretrained(tmp_path)

    def test_an_adapter_on_the_base_without_its_head(self, tmp_path: Path) -> None:
        model = las.convert(plain.llama(), plain.batches())
        las.save(model, tmp_path)
        base = plain.llama().model
        with pytest.raises(AdapterError, match="those of its head included"):
            las.load(base, tmp_path)
        assert not spikes_in(base)


def test_embeddings_grow_and_shrink(tmp_path: Path) -> None:
    """The neurons before the head keep their thresholds; tied weights stay tied."""
    for tied in (False, True):
        model = las.convert(plain.llama(tie_word_embeddings=tied), plain.batches())
        before, neuron = run(model).logits, model.lm_head.site.neuron
        model.resize_token_embeddings(plain.VOCABULARY + 5)
        assert isinstance(model.lm_head, SpikingLinear)
        assert model.lm_head.site.neuron == neuron
        assert (model.lm_head.weight is model.get_input_embeddings().weight) is tied
        after: Tensor = run(model).logits
        assert after.shape[-1] == plain.VOCABULARY + 5
        assert torch.allclose(after[..., : plain.VOCABULARY], before, atol=1e-6)
        with torch.no_grad():
            model(input_ids=torch.full((1, 3), plain.VOCABULARY + 4))
        model.save_pretrained(tmp_path)
        again = AutoModelForCausalLM.from_pretrained(tmp_path)
        assert torch.equal(run(again).logits, after)
        model.resize_token_embeddings(plain.VOCABULARY)
        assert torch.equal(run(model).logits, before)


def test_embeddings_of_a_masked_model_and_its_bias() -> None:
    model = las.convert(plain.make(BertForMaskedLM), plain.batches())
    before = run(model).logits
    model.resize_token_embeddings(plain.VOCABULARY + 5)
    assert isinstance(model.cls.predictions.decoder, SpikingLinear)
    assert model.cls.predictions.bias.shape == (plain.VOCABULARY + 5,)
    assert torch.allclose(run(model).logits[..., : plain.VOCABULARY], before, atol=1e-6)


def test_the_adapter_of_a_resized_model_belongs_to_the_resized_base(tmp_path: Path) -> None:
    model = las.convert(plain.llama(), plain.batches())
    model.resize_token_embeddings(plain.VOCABULARY + 5)
    las.save(model, tmp_path)
    with pytest.raises(AdapterError, match="belongs to a llama model"):
        las.load(plain.llama(), tmp_path)
    base = plain.llama(vocab_size=plain.VOCABULARY + 5)
    base.load_state_dict(model.state_dict())
    assert torch.equal(run(las.load(base, tmp_path)).logits, run(model).logits)
