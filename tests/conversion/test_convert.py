"""What a converted model owes its original: the same outputs, step by step or fused."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import BloomForCausalLM

import las
from las.errors import CalibrationError, LasError, UnsupportedModelError
from tests.tiny_models import plain


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_outputs_stay_the_same(family, request, make_batches):
    model = request.getfixturevalue(family)
    unseen = make_batches(count=1, rows=2, length=20, padding=6, seed=9)[0]
    with torch.no_grad():
        original = model(**unseen)[0]
        converted = las.convert(model, make_batches(count=4, rows=4, padding=5))
        spiking = converted(**unseen)[0]
    keep = unseen["attention_mask"].bool()
    assert converted is model
    assert 0 < relative(spiking[keep], original[keep]) < 1e-3


@pytest.mark.parametrize("family", ["llama", "bert"])
@pytest.mark.parametrize("options", [{}, {"time_steps": 8, "levels": 3, "bands": 3}])
def test_simulator_and_fused_path_agree_spike_for_spike(family, options, request, make_batches):
    model = request.getfixturevalue(family)
    las.convert(model, make_batches(), las.SpikeConfig(**options))
    model.double()
    batch = make_batches(count=1, rows=2, length=10, padding=3, seed=5)[0]
    with torch.no_grad():
        with las.count_spikes(model) as fused_spikes:
            fused = model(**batch)[0]
        with las.simulate(model), las.count_spikes(model) as simulated_spikes:
            simulated = model(**batch)[0]
    assert relative(fused, simulated) < 1e-12
    counts = {name: site.spikes for name, site in fused_spikes.sites.items()}
    assert counts == {name: site.spikes for name, site in simulated_spikes.sites.items()}
    assert fused_spikes.tokens == batch["attention_mask"].sum()


def test_more_time_steps_lose_less(llama, make_batches):
    import copy

    batch = make_batches(count=1, seed=3)[0]
    errors = []
    with torch.no_grad():
        original = llama(**batch)[0]
        for time_steps in (6, 10, 16):
            model = las.convert(
                copy.deepcopy(llama), make_batches(), las.SpikeConfig(time_steps=time_steps)
            )
            errors.append(relative(model(**batch)[0], original))
    assert errors[0] > 4 * errors[1] > 16 * errors[2]


def test_the_papers_rule_loses_more_than_ours(llama, make_batches):
    import copy

    batch = make_batches(count=1, seed=3)[0]
    errors = {}
    with torch.no_grad():
        original = llama(**batch)[0]
        for rule in ("error", "paper"):
            config = las.SpikeConfig(time_steps=10, threshold_rule=rule)
            model = las.convert(copy.deepcopy(llama), make_batches(), config)
            errors[rule] = relative(model(**batch)[0], original)
    assert errors["error"] < errors["paper"]


def test_tied_weights_stay_tied(llama, make_batches):
    embedding = llama.get_input_embeddings().weight
    las.convert(llama, make_batches())
    assert llama.lm_head.weight is embedding


def test_layers_that_read_one_tensor_share_its_spikes(llama, make_batches):
    las.convert(llama, make_batches())
    attention = llama.model.layers[0].self_attn
    assert attention.q_proj.site is attention.k_proj.site is attention.v_proj.site
    assert attention.o_proj.site is not attention.q_proj.site
    batch = make_batches(count=1, rows=1, length=8)[0]
    with las.count_spikes(llama) as spikes, torch.no_grad():
        llama(**batch)
    shared = spikes.sites[attention.q_proj.site.name]
    assert shared.activations == 8 * llama.config.hidden_size


@pytest.mark.parametrize("length", [3, 9])
def test_generation_with_a_cache_gives_the_tokens_of_a_full_forward_pass(
    llama, make_batches, length
):
    las.convert(llama, make_batches())
    prompt = make_batches(count=1, rows=1, length=length, seed=4)[0]["input_ids"]
    with torch.no_grad():
        tokens = llama.generate(prompt, max_new_tokens=12, do_sample=False, eos_token_id=None)
        logits = llama(input_ids=tokens, use_cache=False).logits
    assert tokens.shape[1] == length + 12
    assert torch.equal(tokens[0, length:], logits[0, length - 1 : -1].argmax(-1))


def test_padding_on_either_side_changes_nothing(llama, make_batches):
    las.convert(llama, make_batches(padding=4))
    ids = make_batches(count=1, rows=1, length=10, seed=6)[0]["input_ids"]
    pad = torch.zeros(1, 5, dtype=torch.long)
    ones, zeros = torch.ones_like(ids), torch.zeros_like(pad)
    with torch.no_grad():
        alone = llama(input_ids=ids).logits
        right = llama(
            input_ids=torch.cat([ids, pad], 1), attention_mask=torch.cat([ones, zeros], 1)
        ).logits[:, :10]
    assert relative(right, alone) < 1e-5


def test_no_calibration_data_is_an_error(llama):
    with pytest.raises(CalibrationError, match="needs 32 at least"):
        las.convert(llama, [])


def test_nan_in_the_batches_is_an_error_that_names_the_batch(llama, make_batches):
    batch = make_batches(count=1)[0]
    embeddings = llama.get_input_embeddings()(batch["input_ids"]).detach()
    embeddings[0, 3, 5] = float("nan")
    with pytest.raises(CalibrationError, match="batch 0: inputs_embeds holds NaN"):
        las.convert(llama, [{"inputs_embeds": embeddings}])


def test_an_architecture_without_support_is_named(make_batches):
    model = plain.make(BloomForCausalLM, num_hidden_layers=1)
    model.transformer.h[0].mlp.gelu_impl = nn.Mish()
    with pytest.raises(UnsupportedModelError, match=r"Mish(.|\n)*@las.converts"):
        las.convert(model, make_batches())


def test_a_bare_module_is_no_transformers_model(make_batches):
    with pytest.raises(UnsupportedModelError, match="no transformers model"):
        las.convert(nn.Linear(4, 4), make_batches())


def test_converting_twice_is_an_error(llama, make_batches):
    las.convert(llama, make_batches())
    with pytest.raises(UnsupportedModelError, match="spiking one already"):
        las.convert(llama, make_batches())


@pytest.mark.parametrize("verb", [las.simulate, las.count_spikes])
def test_a_dense_model_has_nothing_to_simulate_or_count(verb, llama):
    with pytest.raises(LasError, match=r"las\.convert first"), verb(llama):
        pass


@pytest.mark.parametrize(
    "options",
    [
        {"time_steps": 0},
        {"time_steps": 33},
        {"levels": 0},
        {"levels": 17},
        {"bands": 0},
        {"rounding": "up"},
        {"threshold_rule": "best"},
        {"vision": "blind"},
        {"threshold_rule": "paper", "bands": 3},
        {"margin": 0.5},
    ],
)
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        las.SpikeConfig(**options)


def test_a_budget_for_an_unknown_function(llama, make_batches):
    config = las.SpikeConfig(budgets={"sine": (1e-3, 0.0)})
    with pytest.raises(ValueError, match="sine"):
        las.convert(llama, make_batches(), config)


class Linear(nn.Module):
    """A stranger of a known name: a low-rank path beside the weight."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = base.weight, base.bias
        self.low_rank = nn.Parameter(torch.ones(1, base.in_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.weight) + (x @ self.low_rank.T)


def test_a_strangers_class_of_a_known_name_is_not_taken_for_it(llama, make_batches):
    mlp = llama.model.layers[1].mlp
    mlp.down_proj = Linear(mlp.down_proj)
    with pytest.raises(UnsupportedModelError, match=r"Linear \(model\.layers\.1\.mlp\.down_proj\)"):
        las.convert(llama, make_batches())


def test_hooks_that_would_be_lost_are_an_error(llama, make_batches):
    llama.model.layers[0].mlp.down_proj.register_forward_hook(lambda *_: None)
    with pytest.raises(UnsupportedModelError, match="forward hooks"):
        las.convert(llama, make_batches())


def test_it_runs_in_inference_mode(llama, make_batches):
    las.convert(llama, make_batches())
    batch = make_batches(count=1, seed=3)[0]
    with torch.no_grad():
        expected = llama(**batch)[0]
    with torch.inference_mode():
        assert torch.equal(llama(**batch)[0], expected)
