"""A conversion that is wrong is refused, and names what is wrong.

Each test changes what a real module computes, as the next release of a library may, or registers a
rule that is wrong. Nothing else in the model tells.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.cohere import modeling_cohere
from transformers.models.gptj import modeling_gptj
from transformers.models.llama import modeling_llama

import las
from las.components.component import SpikingComponent
from las.components.norm import SpikingNorm
from las.components.site import OATSite, accumulate
from las.conversion import is_spiking, registry
from las.conversion.comparison import relative_error
from las.errors import UnsupportedModelError
from tests import tiny_models

Patch = pytest.MonkeyPatch


def one_plus_weight(self: Any, x: Tensor) -> Tensor:
    wide = x.float()
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.variance_epsilon)
    return (1 + self.weight) * (wide * scale).to(x.dtype)


def swapped_gate(self: Any, x: Tensor) -> Tensor:
    return self.down_proj(self.act_fn(self.up_proj(x)) * self.gate_proj(x))


def without_bias(self: Any, x: Tensor) -> Tensor:
    return F.linear(x, self.weight)


def louder_attention(*args: Any, **kwargs: Any) -> Any:
    return eager(*args, **{**kwargs, "scaling": 1.5 * kwargs["scaling"]})


eager = modeling_llama.eager_attention_forward


def eager_llama() -> Any:
    model = tiny_models.build("llama")
    model.set_attn_implementation("eager")
    return model


CHANGES: dict[str, tuple[type | Any, str, Callable[..., Any], str, str]] = {
    "a norm adds 1 to its weights": (
        modeling_llama.LlamaRMSNorm,
        "forward",
        one_plus_weight,
        "llama",
        "LlamaRMSNorm",
    ),
    "a gate is swapped": (modeling_llama.LlamaMLP, "forward", swapped_gate, "llama", "LlamaMLP"),
    "a bias is dropped": (nn.Linear, "forward", without_bias, "qwen2", r"q_proj \(Linear\)"),
    "attention is scaled otherwise": (
        modeling_llama,
        "eager_attention_forward",
        louder_attention,
        "eager",
        r"layers\.0\.self_attn \(LlamaAttention\)",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_module_that_computes_something_else_is_refused_by_name(
    change: str, monkeypatch: Patch
) -> None:
    owner, name, changed, model_name, said = CHANGES[change]
    model = eager_llama() if model_name == "eager" else tiny_models.build(model_name)
    monkeypatch.setattr(owner, name, changed)
    (batch,) = tiny_models.batches("llama", 1)
    before = model(**batch).logits
    with pytest.raises(UnsupportedModelError, match=said):
        las.convert(model, tiny_models.batches("llama"))
    assert not is_spiking(model)
    assert torch.equal(model(**batch).logits, before)


def test_a_wrong_rule_for_a_norm_is_refused(monkeypatch: Patch) -> None:
    """Cohere's norm is centred; a rule that forgets it once passed with an error of 12 %."""
    monkeypatch.setitem(
        registry.OF_USERS,
        modeling_cohere.CohereLayerNorm,
        lambda norm: SpikingNorm(norm.weight, None, norm.variance_epsilon, centred=False),
    )
    with pytest.raises(UnsupportedModelError, match="CohereLayerNorm"):
        las.convert(tiny_models.build("cohere"), tiny_models.batches("cohere"))


def test_a_wrong_epsilon_is_refused(monkeypatch: Patch) -> None:
    monkeypatch.setitem(
        registry.OF_USERS,
        modeling_llama.LlamaRMSNorm,
        lambda norm: SpikingNorm(norm.weight, None, 0.1, centred=False),
    )
    with pytest.raises(UnsupportedModelError, match="LlamaRMSNorm"):
        las.convert(tiny_models.build("llama"), tiny_models.batches("llama"))


@pytest.mark.parametrize("base", [10_000.0, 500.0])
def test_rotary_tables_are_the_models_own(base: float) -> None:
    """They stay in the model, whatever they are made of: there is no rule that could be wrong."""
    model = tiny_models.build("llama")
    rotary = model.model.rotary_emb
    powers = torch.arange(0, 8, 2) / 8
    rotary.inv_freq = base**-powers
    dense = copy.deepcopy(model)
    (batch,) = tiny_models.batches("llama", 1, seed=7)
    las.convert(model, tiny_models.batches("llama"))
    assert relative_error(model(**batch).logits, dense(**batch).logits) < 1e-3


def test_rotary_inside_attention_that_multiplies_itself(monkeypatch: Patch) -> None:
    """GPT-J turns its queries in its own forward, which stays as it is."""
    turn = modeling_gptj.apply_rotary_pos_emb
    monkeypatch.setattr(
        modeling_gptj, "apply_rotary_pos_emb", lambda x, sin, cos: turn(x, cos, sin)
    )
    model = tiny_models.build("gptj")
    dense = copy.deepcopy(model)
    (batch,) = tiny_models.batches("gptj", 1, seed=7)
    las.convert(model, tiny_models.batches("gptj"))
    assert relative_error(model(**batch).logits, dense(**batch).logits) < 1e-3


class Doubling(SpikingComponent):
    """A component that is right where it stands, and changes what comes after it."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.weight = norm.weight
        self.eps = norm.variance_epsilon
        self.site = OATSite()

    def forward(self, x: Tensor) -> Tensor:
        if self.run.simulating:
            return accumulate(self.site.steps(self.norm(x)))
        return self.site(self.norm(x)).value

    def norm(self, x: Tensor) -> Tensor:
        y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight
        x.mul_(2)
        return y


def test_what_lies_between_the_modules_is_compared_too(monkeypatch: Patch) -> None:
    """A component that writes into its input returns the right thing all the same."""
    monkeypatch.setitem(registry.OF_USERS, modeling_llama.LlamaRMSNorm, Doubling)
    with pytest.raises(UnsupportedModelError, match=r"LlamaRMSNorm|between its modules"):
        las.convert(tiny_models.build("llama"), tiny_models.batches("llama"))


def test_a_users_rule_wins(monkeypatch: Patch) -> None:
    converted = []

    def own(linear: Any) -> nn.Module:
        converted.append(linear)
        return las.components.linear.spiking_linear(linear)

    monkeypatch.setattr(registry, "OF_USERS", {})
    las.converts(nn.Linear)(own)
    model = tiny_models.build("llama")
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    las.convert(model, tiny_models.batches("llama"))
    assert set(converted) == set(layers)


def test_a_rule_holds_for_classes_that_derive(monkeypatch: Patch) -> None:
    class Wrapped(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    model = tiny_models.build("llama")
    head = Wrapped(32, 64, bias=False)
    model.lm_head = head
    with pytest.raises(UnsupportedModelError, match=r"Wrapped \(lm_head\)(.|\n)*@las.converts"):
        las.convert(model, tiny_models.batches("llama"))

    class Doubled(las.components.linear.SpikingLinear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    monkeypatch.setitem(registry.OF_USERS, Wrapped, lambda layer: Doubled(layer.weight, None))
    las.convert(model, tiny_models.batches("llama"))
    assert model.las_report.output_error < 1e-3


def test_the_report_tells_what_was_measured() -> None:
    dense = tiny_models.build("llama")
    model = las.convert(copy.deepcopy(dense), tiny_models.batches("llama"))
    report = model.las_report
    batch = {name: x[:1] for name, x in tiny_models.batches("llama")[0].items()}
    error = relative_error(model(**batch).logits, dense(**batch).logits)
    assert report.output_error == pytest.approx(error, rel=1e-6)
    assert report.structure_error < 1e-5 < report.output_error
    assert model.get_submodule(report.worst_site) is not None
    assert 0 < report.worst_site_error < 1e-3
    assert report.out_of_range == 0


def test_the_report_travels_with_the_model(tmp_path: Path) -> None:
    dense = tiny_models.build("llama")
    model = las.convert(copy.deepcopy(dense), tiny_models.batches("llama"))
    las.save(model, tmp_path / "adapter")
    model.save_pretrained(tmp_path / "full")
    full = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "full")
    assert las.load(dense, tmp_path / "adapter").las_report == model.las_report == full.las_report


def test_it_may_be_left_out() -> None:
    model = tiny_models.build("llama")
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    las.convert(model, tiny_models.batches("llama"), verify=False)
    without = len(calls)
    assert not hasattr(model, "las_report")
    again = tiny_models.build("llama")
    again.register_forward_hook(lambda *_: calls.append(1))
    calls.clear()
    las.convert(again, tiny_models.batches("llama"))
    assert len(calls) - without == 3


def test_a_generator_of_batches_is_read_once() -> None:
    taken = []

    def batches() -> Any:
        for batch in tiny_models.batches("llama"):
            taken.append(batch)
            yield batch

    listed = las.convert(tiny_models.build("llama"), tiny_models.batches("llama"))
    streamed = las.convert(tiny_models.build("llama"), batches())
    assert len(taken) == 4
    (batch,) = tiny_models.batches("llama", 1, seed=3)
    assert torch.equal(listed(**batch).logits, streamed(**batch).logits)


def test_half_precision_passes() -> None:
    model = tiny_models.build("llama").to(torch.bfloat16)
    las.convert(model, tiny_models.batches("llama"))
    assert model.las_report.output_error < 0.1
    assert isinstance(model, transformers.PreTrainedModel)


@pytest.mark.parametrize("error", [0.0, 0.01, 1.0])
def test_an_error_beside_a_massive_channel_is_seen(error: float) -> None:
    """32 channels of 1, one of 10,000: an error of the others is not measured against it."""
    expected = torch.ones(4, 33)
    expected[:, 7] = 10_000.0
    given = expected + error
    given[:, 7] = 10_000.0
    # 33 // 16 = 2 channels are left out: the massive one and one of the others
    assert relative_error(given, expected) == pytest.approx(error)
