"""What users of transformers do to any model: share configs, swap attention, print, wrap, copy."""

from __future__ import annotations

import copy
import io
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack, _pop_mode
from transformers import (
    AutoModelForCausalLM,
    BertForSequenceClassification,
    BloomForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    T5ForConditionalGeneration,
    Trainer,
    TrainingArguments,
)

import las
from las.components.attention import NAME
from las.conversion import is_spiking, twin
from las.conversion.checkpoint import SpikingModelConfig
from las.errors import AdapterError, LasError, UnsupportedModelError
from tests import tiny_models
from tests.tiny_models import plain

ATTENTION = "spiking_attention"


@pytest.fixture(scope="module")
def spiking() -> Any:
    return las.convert(plain.llama(), plain.batches())


@pytest.fixture
def llama(spiking: Any) -> Any:
    """One for each test, to be changed."""
    return copy.deepcopy(spiking)


@pytest.fixture(scope="module")
def full(spiking: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    spiking.save_pretrained(folder)
    return folder


def run(model: Any) -> Tensor:
    (batch,) = plain.batches(1)
    with torch.no_grad():
        output: Tensor = model(**batch)[0]
    return output


class TestConfigsThatModelsShare:
    def pair(self, **options: Any) -> tuple[Any, Any, Any]:
        """Two models of one config object."""
        config = plain.llama(**options).config
        made = []
        for seed in range(2):
            torch.manual_seed(seed)
            made.append(LlamaForCausalLM(config).eval())
        return config, *made

    def test_the_other_model_computes_what_it_did(self) -> None:
        config, teacher, student = self.pair()
        before, text = run(teacher), config.to_json_string()
        las.convert(student, plain.batches())
        assert torch.equal(run(teacher), before)
        assert teacher.config is config
        assert config.to_json_string() == text
        assert config._attn_implementation == "sdpa"
        assert not hasattr(config, "quantization_config")

    def test_all_parts_of_a_model_have_one_config(self, spiking: Any) -> None:
        held = {id(part.config) for part in spiking.modules() if hasattr(part, "config")}
        assert held == {id(spiking.config)}

    def test_parts_of_a_config_are_parts_of_its_copy(self) -> None:
        model = tiny_models.build("llava")
        before = {id(part.config) for part in model.modules() if hasattr(part, "config")}
        las.convert(model, tiny_models.batches("llava"))
        configs = {id(part.config) for part in model.modules() if hasattr(part, "config")}
        assert not configs & before
        text, vision = model.config.text_config, model.config.vision_config
        assert configs == {id(model.config), id(text), id(vision)}
        assert text._attn_implementation == vision._attn_implementation == NAME

    def test_an_adapter_leaves_the_other_model_alone_too(
        self, spiking: Any, tmp_path: Path
    ) -> None:
        las.save(spiking, tmp_path)
        base = plain.llama()
        other = LlamaForCausalLM(base.config).eval()
        before = run(other)
        las.load(base, tmp_path)
        assert torch.equal(run(other), before)
        assert base.config is not other.config

    def test_after_an_error_the_model_has_its_config_again(self) -> None:
        config, _, student = self.pair()
        with pytest.raises(LasError):
            las.convert(student, [])
        assert student.config is config
        assert all(part.config is config for part in student.modules() if hasattr(part, "config"))

    def test_the_other_model_is_saved_and_comes_back_dense(self, tmp_path: Path) -> None:
        _, teacher, student = self.pair()
        las.convert(student, plain.batches())
        teacher.save_pretrained(tmp_path)
        again = LlamaForCausalLM.from_pretrained(tmp_path)
        assert not is_spiking(again)
        assert torch.equal(run(again), run(teacher))

    def test_a_dense_model_of_a_spiking_config_is_dense_and_says_so(self, spiking: Any) -> None:
        original = plain.llama(seed=3)
        torch.manual_seed(3)
        dense = LlamaForCausalLM(copy.deepcopy(spiking.config)).eval()
        with pytest.warns(UserWarning, match="without quantization_config"):
            assert torch.equal(run(dense), run(original))

    def test_a_dense_model_that_only_eager_attention_serves_is_refused(self) -> None:
        model = las.convert(tiny_models.build("gemma2"), tiny_models.batches("gemma2"))
        dense = type(model)(model.config).eval()
        with pytest.raises(UnsupportedModelError, match=r"softcap.*_attn_implementation='eager'"):
            dense(**tiny_models.batches("gemma2")[0])

    def test_weights_are_loaded_into_a_spiking_config(self, spiking: Any, tmp_path: Path) -> None:
        plain.llama().save_pretrained(tmp_path)
        again = LlamaForCausalLM.from_pretrained(tmp_path, config=spiking.config)
        assert torch.equal(run(again), run(spiking))


class TestAttention:
    @pytest.mark.parametrize("name", ["eager", "sdpa", "paged|eager"])
    @pytest.mark.parametrize(
        "swap",
        [
            lambda model, name: model.set_attn_implementation(name),
            lambda model, name: model.model.set_attn_implementation({"": name}),
            lambda model, name: setattr(model.config, "_attn_implementation", name),
        ],
    )
    def test_another_one_is_refused(self, llama: Any, swap: Callable[..., Any], name: str) -> None:
        before = run(llama)
        swap(llama, name)
        with pytest.raises(UnsupportedModelError, match="which does not spike"):
            run(llama)
        llama.set_attn_implementation(NAME)
        assert torch.equal(run(llama), before)

    def test_of_an_encoder_and_a_decoder(self) -> None:
        model = plain.make(T5ForConditionalGeneration, decoder_start_token_id=0, pad_token_id=0)
        batches = [{**batch, "labels": batch["input_ids"]} for batch in plain.batches()]
        las.convert(model, batches).set_attn_implementation("sdpa")
        with pytest.raises(UnsupportedModelError, match="which does not spike"):
            model(**batches[0])

    @pytest.mark.parametrize("name", ["eager", "sdpa"])
    def test_of_the_original_is_whatever_it_was(self, name: str, tmp_path: Path) -> None:
        plain.llama().save_pretrained(tmp_path)
        model = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation=name)
        las.convert(model, plain.batches())
        assert model.las_report.structure_error < 1e-5
        assert model.config._attn_implementation == NAME

    @pytest.mark.parametrize("name", ["eager", "sdpa"])
    def test_a_checkpoint_asked_for_another_one_spikes(
        self, spiking: Any, full: Path, name: str
    ) -> None:
        again = AutoModelForCausalLM.from_pretrained(full, attn_implementation=name)
        assert torch.equal(run(again), run(spiking))

    def test_that_a_model_computes_itself_goes_on_spiking(self) -> None:
        model = plain.make(BloomForCausalLM, hidden_size=16, n_head=2, n_layer=2)
        las.convert(model, plain.batches())
        before = run(model)
        model.set_attn_implementation("sdpa")
        assert torch.equal(run(model), before)


class TestContinuousBatching:
    def test_it_is_refused_by_name(self, llama: Any, full: Path) -> None:
        for model in (llama, AutoModelForCausalLM.from_pretrained(full)):
            with pytest.raises(LasError, match="continuous batching"):
                model.generate_batch([[1, 2, 3]])
            with pytest.raises(LasError, match="continuous batching"):
                model.init_continuous_batching()
            with pytest.raises(LasError, match="continuous batching"):
                model.generate(torch.tensor([[1, 2]]), cache_implementation="paged")

    def test_it_goes_on_working_for_the_original(self) -> None:
        assert callable(plain.llama().init_continuous_batching)
        assert "init_continuous_batching" not in vars(plain.llama())


class TestPrintedConfig:
    @pytest.mark.parametrize("show", [repr, str, lambda config: config.to_json_string()])
    def test_it_fits_on_a_screen(self, spiking: Any, show: Callable[[Any], str]) -> None:
        text = show(spiking.config)
        assert '"time_steps": 16' in text
        assert '"exp"' in text
        assert len(text) < len(show(plain.llama().config)) + 2000

    def test_of_a_loaded_model_too(self, full: Path) -> None:
        assert len(repr(AutoModelForCausalLM.from_pretrained(full).config)) < 4000
        assert "arrays" not in repr(
            AutoModelForCausalLM.from_pretrained(full).config.to_diff_dict()
        )

    def test_of_other_models_it_is_as_ever(self) -> None:
        config = LlamaConfig(hidden_size=64)
        assert json.loads(config.to_json_string())["hidden_size"] == 64

    def test_files_hold_all_of_it(self, spiking: Any, tmp_path: Path) -> None:
        spiking.config.save_pretrained(tmp_path)
        spiking.config.to_json_file(tmp_path / "whole.json", use_diff=False)
        for name in ("config.json", "whole.json"):
            held = json.loads((tmp_path / name).read_text())["quantization_config"]
            assert held["arrays"] == spiking.config.quantization_config.arrays
            assert SpikingModelConfig.from_dict(held).state.thresholds.sites

    def test_what_was_shown_cannot_be_loaded(self, spiking: Any, full: Path, tmp_path) -> None:
        for file in full.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / "config.json").write_text(spiking.config.to_json_string())
        with pytest.raises(AdapterError, match="without its thresholds"):
            AutoModelForCausalLM.from_pretrained(tmp_path)


class TestTrainerThatEvaluates:
    def test_a_loaded_model_and_one_in_memory_alike(
        self, spiking: Any, full: Path, tmp_path: Path
    ) -> None:
        ids = plain.batches(1)[0]["input_ids"]
        data = [{"input_ids": row, "labels": row} for row in ids]
        arguments = TrainingArguments(
            tmp_path, per_device_eval_batch_size=2, report_to=[], use_cpu=True, disable_tqdm=True
        )
        found = []
        for model in (copy.deepcopy(spiking), AutoModelForCausalLM.from_pretrained(full)):
            trainer = Trainer(model=model, args=arguments, eval_dataset=data)
            loss = trainer.evaluate()["eval_loss"]
            found.append((loss, torch.from_numpy(trainer.predict(data).predictions)))
        assert found[0][0] == found[1][0]
        assert torch.equal(found[0][1], found[1][1])

    def test_no_mark_of_quantization_is_left(self, spiking: Any, full: Path) -> None:
        loaded = AutoModelForCausalLM.from_pretrained(full)
        new = vars(loaded).keys() ^ vars(spiking).keys()
        assert not {name for name in new if "quantiz" in name}
        assert not hasattr(loaded.config, "_is_quantized")


class TestWrappers:
    @pytest.mark.parametrize(
        ("wrap", "path"),
        [
            (lambda model: torch.compile(model, backend="eager"), "_orig_mod"),
            (nn.DataParallel, "module"),
            (nn.Sequential, "0"),
        ],
    )
    def test_a_wrapper_is_not_converted(
        self, wrap: Callable[[Any], Any], path: str, tmp_path: Path, spiking: Any
    ) -> None:
        model = plain.llama()
        before = run(model)
        las.save(spiking, tmp_path)
        for call in (
            lambda wrapper: las.convert(wrapper, plain.batches()),
            lambda wrapper: las.load(wrapper, tmp_path),
        ):
            with pytest.raises(UnsupportedModelError, match="wrapper around LlamaForCausalLM") as e:
                call(wrap(model))
            assert f"get_submodule({path!r})" in str(e.value)
        assert torch.equal(run(model), before)

    @pytest.mark.parametrize("wrap", [nn.DataParallel, nn.Sequential])
    def test_a_wrapped_model_is_the_model(
        self, wrap: Callable[[Any], Any], spiking: Any, tmp_path: Path
    ) -> None:
        (batch,) = plain.batches(1)
        wrapper = wrap(spiking)
        ids = batch["input_ids"]
        with torch.no_grad(), las.count_spikes(wrapper) as tally:
            assert torch.equal(wrapper(ids).logits, spiking(ids).logits)
        assert tally.spikes > 0
        with las.simulate(wrapper), las.stop_after(wrapper, 3):
            assert spiking.model.norm.run.simulating
        las.save(wrapper, tmp_path)
        assert torch.equal(run(las.load(plain.llama(), tmp_path)), run(spiking))


def _torch_copy(model: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


_COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "torch.save": _torch_copy,
}


def _interrupt(*_: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("how", _COPIES)
@pytest.mark.parametrize("before", ["generate", "interrupted", "part"])
def test_a_copy_has_the_same_bits(llama: Any, how: str, before: str) -> None:
    expected = run(llama)
    if before == "generate":
        llama.generate(torch.tensor([[1, 5, 9]]), max_new_tokens=3, do_sample=False)
    elif before == "interrupted":
        handle = llama.model.layers[1].mlp.register_forward_pre_hook(_interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(llama)
        handle.remove()
    else:
        llama.model.layers[0].self_attn.q_proj(torch.ones(1, 3, 16))
    copied = _COPIES[how](llama)
    assert torch.equal(run(copied), expected)
    copied.resize_token_embeddings(plain.VOCABULARY + 1)  # of the copy, and not of the model
    assert llama.config.vocab_size == plain.VOCABULARY == llama.lm_head.weight.shape[0]
    assert copied.lm_head.weight.shape[0] == plain.VOCABULARY + 1


def test_another_process_unpickles_a_model(spiking: Any, tmp_path: Path) -> None:
    """It knows nothing of las but what the pickle itself imports."""
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(spiking))
    (batch,) = plain.batches(1)
    torch.save((batch, run(spiking)), tmp_path / "expected.pt")
    code = """
import pickle, sys, torch
torch.set_num_threads(1)
with open(sys.argv[1] + "/model.pickle", "rb") as file:
    model = pickle.load(file)
batch, expected = torch.load(sys.argv[1] + "/expected.pt")
with torch.no_grad():
    assert torch.equal(model(**batch).logits, expected)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=300)


def test_a_twin_of_a_model_that_was_made_of_a_shared_config_is_converted_alone() -> None:
    model = plain.make(BertForSequenceClassification)
    before = run(model)
    las.convert(twin(model), plain.batches())
    assert torch.equal(run(model), before)


class TestAfterAnInterrupt:
    """PyTorch leaves out even the hooks that are always called."""

    @pytest.fixture(autouse=True)
    def nothing_left(self) -> Iterator[None]:
        """What answered goes on lying on PyTorch's stack, where `torch.compile` would find it."""
        yield
        while len(_get_current_function_mode_stack()):
            _pop_mode()

    def interrupted(self, model: Any, part: nn.Module) -> None:
        handle = part.register_forward_hook(_interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(model)
        handle.remove()

    def test_neurons_answer_for_nothing_else(self) -> None:
        model = plain.make(BloomForCausalLM, hidden_size=16, n_head=2, n_layer=2)
        las.convert(model, plain.batches())
        with las.count_spikes(model) as tally:
            expected = run(model)
        self.interrupted(model, model.transformer.h[1].self_attention.dense)
        a, b = torch.randn(2, 3, 4), torch.randn(2, 4, 5)
        product = torch.einsum("bij,bjk->bik", a, b)
        assert torch.allclose(torch.matmul(a, b), product, atol=1e-6)
        assert torch.ones(2, dtype=torch.float64).float().dtype == torch.float32
        with las.count_spikes(model) as again:
            assert torch.equal(run(model), expected)
        assert again == tally

    def test_embeddings_are_tensors(self) -> None:
        model = las.convert(tiny_models.build("clip"), tiny_models.batches("clip"))
        (batch, *_) = tiny_models.batches("clip")
        with torch.no_grad():
            expected = model(**batch).logits_per_text
        handle = model.text_model.register_forward_hook(_interrupt)
        with pytest.raises(KeyboardInterrupt):
            model(**batch)
        handle.remove()
        with torch.no_grad():
            found = model.text_projection(torch.ones(1, model.text_projection.weight.shape[1]))
            assert type(found) is Tensor
            assert torch.equal(model(**batch).logits_per_text, expected)
