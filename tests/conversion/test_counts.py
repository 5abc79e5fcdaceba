"""What whole models count, against all spikes of the step simulator one by one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import MixtralForCausalLM

import las
from las.components.linear import SpikingLinear
from las.components.site import OATSite, Site
from las.neurons.encoding import Firing
from las.neurons.tally import OperationCount, SpikeTally
from tests.components.heard import Heard, Listener, listen
from tests.tiny_models import plain

CONFIGS = {
    "default": las.SpikeConfig(),
    "one level": las.SpikeConfig(levels=1, bands=1),
    "signed": las.SpikeConfig(12, 16, bands=1, rounding="signed"),
    "frugal": las.SpikeConfig(budget=1e-3),
}


@pytest.fixture(scope="module", params=CONFIGS)
def llama(request: pytest.FixtureRequest) -> Any:
    """In float64, where no order of sums moves an input across a threshold."""
    batches = plain.batches()
    return las.convert(plain.llama().double(), batches, CONFIGS[request.param])


def run(model: Any, **batch: Any) -> Any:
    with torch.no_grad():
        return model(**batch)


def caused(operation: OperationCount) -> Firing:
    return Firing(operation.sops, operation.additions, operation.fetches)


def early(operation: OperationCount) -> Firing:
    return Firing(operation.early_sops, operation.early_additions, operation.early_fetches)


def summed(heard: list[Heard], kept: Tensor | int = 1) -> Firing:
    return sum((one.times(kept) for one in heard), Firing())


def readers(model: Any) -> dict[str, tuple[Any, str]]:
    """Each component that spikes, and the name of the site that it reads."""
    return {
        part.name: (part, part.site.name)
        for part in model.modules()
        if isinstance(part, SpikingLinear)
    }


def assert_alike(model: Any, tally: SpikeTally, listener: Listener) -> None:
    """Site by site, and each linear layer by the spikes that it reads."""
    assert tally.sites.keys() == listener.calls.keys()
    for name, site in tally.sites.items():
        part = model.get_submodule(name)
        assert isinstance(part, Site)
        heard = summed(listener.calls[name])
        assert Firing(site.spikes, site.digits, site.active) == heard, name
        assert (site.levels, site.time_steps) == (part.levels, part.time_steps)
    for name, (layer, site) in readers(model).items():
        expected = summed(listener.calls[site]) * len(layer.matrix)
        assert caused(tally.operations[name]) == expected, name
    for operation in tally.operations.values():
        assert operation.fetches <= operation.sops <= operation.additions
        assert operation.early_sops <= operation.sops


def test_a_llama_site_by_site(llama: Any) -> None:
    ids = plain.batches(1)[0]["input_ids"][:, :9]
    listener = listen(llama, lambda: run(llama, input_ids=ids))
    with las.count_spikes(llama) as tally:
        run(llama, input_ids=ids)
    assert_alike(llama, tally, listener)
    if all(site.levels == 1 for site in tally.sites.values()):
        assert all(op.additions == op.sops for op in tally.operations.values())


def test_tokens_in_the_cache_are_not_charged_again(llama: Any) -> None:
    """A new token: its key and value are the early part, and its query reads all keys."""
    ids = plain.batches(1)[0]["input_ids"][:, :7]

    def after_six() -> Any:
        return run(llama, input_ids=ids[:, :6], use_cache=True).past_key_values

    cache = after_six()
    with las.count_spikes(llama) as tally:
        run(llama, input_ids=ids[:, 6:], past_key_values=cache, use_cache=True)
    with las.simulate(llama):
        cache = after_six()
    listener = listen(
        llama, lambda: run(llama, input_ids=ids[:, 6:], past_key_values=cache, use_cache=True)
    )
    assert_alike(llama, tally, listener)
    for layer in range(2):
        path = f"model.layers.{layer}.self_attn.spiking_attention"
        for part, asking, stored in (
            ("scores", "query", "key"),
            ("context", "probability", "value"),
        ):
            operation = tally.operations[f"{path}.{part}"]
            heads_of_a_key, width = 2, 4
            of_stored = summed(listener.calls[f"{path}.{stored}"]) * heads_of_a_key
            reads = 7 if part == "scores" else width
            of_asking = summed(listener.calls[f"{path}.{asking}"]) * reads
            assert early(operation) == of_stored
            assert caused(operation) == of_asking + of_stored
            assert operation.macs == 2 * 4 * 7 * width  # rows, heads, keys


def test_one_pass_charges_what_token_by_token_does(llama: Any) -> None:
    """But for the keys and values of a pass, which every later query of it reads as they arrive."""
    ids = plain.batches(1)[0]["input_ids"][:, :5]
    with las.count_spikes(llama) as whole:
        run(llama, input_ids=ids)
    with las.count_spikes(llama) as each:
        cache = None
        for t in range(5):
            cache = run(
                llama, input_ids=ids[:, t : t + 1], past_key_values=cache, use_cache=True
            ).past_key_values
    for name, site in whole.sites.items():
        assert each.sites[name] == site, name
    for name, operation in whole.operations.items():
        other = each.operations[name]
        late = operation.sops - operation.early_sops
        assert other.sops - other.early_sops == late
        late = operation.additions - operation.early_additions
        assert other.additions - other.early_additions == late
        late = operation.fetches - operation.early_fetches
        assert other.fetches - other.early_fetches == late
        assert other.early_sops <= operation.early_sops
        assert other.macs == operation.macs


@pytest.mark.parametrize("config", ["one level", "signed", "frugal"])
def test_experts_are_charged_for_the_tokens_that_chose_them(config: str) -> None:
    options = dict(num_local_experts=4, num_experts_per_tok=2, num_key_value_heads=2)
    model = las.convert(plain.make(MixtralForCausalLM, **options), plain.batches(), CONFIGS[config])
    model.double()
    ids = plain.batches(1)[0]["input_ids"][:, :6]
    listener = listen(model, lambda: run(model, input_ids=ids))
    with las.count_spikes(model) as tally:
        run(model, input_ids=ids)
    assert_alike(model, tally, listener)
    hidden, intermediate, k = 16, 32, 2
    for layer in range(2):
        path = f"model.layers.{layer}.mlp.experts"
        experts = model.get_submodule(path)
        heard = {
            name: summed(listener.calls[site.name])
            for name, site in experts.named_children()
            if isinstance(site, OATSite)
        }
        function = summed(listener.calls[experts.act_fn.site.name])
        read = heard["input_site"] * (k * 2 * intermediate) + heard["down_site"] * hidden
        assert caused(tally.operations[path]) == read
        assert caused(tally.operations[f"{path}.gate"]) == function + heard["up_site"]
        weighing = heard["output_site"] + heard["weight_site"] * hidden
        assert caused(tally.operations[f"{path}.weighing"]) == weighing
