"""Generation with each kind of cache that transformers has: keys and values are coded once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    LlamaForCausalLM,
    QuantizedCache,
    StaticCache,
)

import las
from las.components.attention import SpikingAttention
from las.conversion import twin
from las.errors import UnsupportedModelError
from tests.tiny_models import plain

WINDOW, PROMPT, NEW = 6, 8, 12  # the window is full before the prompt ends
GROUPED: dict[str, Any] = dict(num_attention_heads=4, num_key_value_heads=2)
SLIDING: dict[str, Any] = GROUPED | dict(sliding_window=WINDOW)
WIDE: dict[str, Any] = SLIDING | dict(head_dim=8)
MIXED: dict[str, Any] = WIDE | dict(layer_types=["sliding_attention", "full_attention"])
FAMILIES: dict[str, Callable[[], Any]] = {
    "llama": lambda: plain.make(LlamaForCausalLM, **GROUPED),
    "gemma 2": lambda: plain.make(Gemma2ForCausalLM, final_logit_softcapping=None, **WIDE),
    "gemma 3": lambda: plain.make(Gemma3ForCausalLM, **MIXED),
}
KINDS = ["dynamic", "static", "sliding_window", "offloaded", "offloaded_static"]


class Stream:
    """A stream of a device that does all at once."""

    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...
    def wait_stream(self, other: object) -> None: ...


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offloading caches ask a GPU for streams."""
    monkeypatch.setattr(torch, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "default_stream", lambda device: Stream())


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """An original and its conversion."""
    ann = FAMILIES[request.param]()
    yield ann, las.convert(twin(ann), plain.batches())


def prompt() -> Tensor:
    return plain.batches(1)[0]["input_ids"][:, :PROMPT]


def generated(model: Any, kind: str | None = None, **options: Any) -> Tensor:
    ids = prompt()
    tokens: Tensor = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=NEW,
        do_sample=False,
        pad_token_id=0,
        eos_token_id=None,
        cache_implementation=kind,
        **options,
    )
    return tokens


@pytest.mark.parametrize("kind", KINDS)
def test_any_cache_gives_the_same_tokens_and_is_coded_into_once(pair, kind, streams) -> None:
    """The last token is generated and read by nobody."""
    ann, snn = pair
    with las.count_spikes(snn) as tally:
        tokens = generated(snn, kind)
    assert torch.equal(tokens, generated(snn, use_cache=False))
    assert torch.equal(tokens, generated(ann, kind))
    rows, width = len(tokens), snn.model.layers[0].self_attn.k_proj.weight.shape[0]
    found = {
        name: site.activations
        for name, site in tally.sites.items()
        if name.endswith(("spiking_attention.key", "spiking_attention.value"))
    }
    assert len(found) == 2 * len(snn.model.layers)
    assert set(found.values()) == {rows * (PROMPT + NEW - 1) * width}


@pytest.mark.parametrize("kind", ["static", "offloaded"])
def test_any_cache_counts_the_operations_of_the_dynamic_one(pair, kind, streams) -> None:
    """In float64, where it hardly matters in which order sums are taken."""
    snn = copy.deepcopy(pair[1]).double()
    with las.count_spikes(snn) as wanted:
        generated(snn, "dynamic")
    with las.count_spikes(snn) as tally:
        generated(snn, kind)
    sops = [{name: op.sops for name, op in each.operations.items()} for each in (tally, wanted)]
    assert sops[0] == sops[1]


def test_a_quantised_cache_is_refused_by_name() -> None:
    """FP8 needs no package; the others raise ImportError in transformers if theirs is missing."""
    snn = las.convert(FAMILIES["llama"](), plain.batches())
    with pytest.raises(UnsupportedModelError, match=r"QuantizedCache \(Fp8QuantizedLayer\)"):
        generated(snn, past_key_values=QuantizedCache("fp8", snn.config))
    with pytest.raises(UnsupportedModelError, match="QuantizedCache"):
        generated(snn, "quantized", cache_config={"backend": "fp8"})


def decoded(model: nn.Module, forward: Callable[..., Any], cache: StaticCache) -> list[Tensor]:
    """Tokens that follow the prompt, which is read at once and by no compiler."""
    with torch.no_grad():
        last = model(input_ids=prompt(), past_key_values=cache).logits[:, -1:].argmax(-1)
        tokens = [last]
        for _ in range(24):
            last = forward(input_ids=last, past_key_values=cache).logits[:, -1:].argmax(-1)
            tokens.append(last)
    return tokens


def static_cache(model: Any) -> StaticCache:
    return StaticCache(config=model.config, max_cache_len=PROMPT + 24)


class Graphs:
    """A compiler's backend that keeps what it is given to compile."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.seen.append(graph)
        return graph.forward


@pytest.mark.parametrize("family", ["llama", pytest.param("gemma 2", marks=pytest.mark.slow)])
def test_compiled_decoding_is_as_many_graphs_as_the_originals(family: str) -> None:
    """One for all tokens, without a break; where a window fills up, the original takes more."""
    ann = FAMILIES[family]()
    snn = las.convert(twin(ann), plain.batches())
    graphs = []
    for model in (ann, snn):
        torch.compiler.reset()
        backend = Graphs()
        compiled = torch.compile(model, backend=backend, fullgraph=True)
        tokens = decoded(model, compiled, static_cache(model))
        wanted = decoded(model, model, static_cache(model))
        assert torch.equal(torch.cat(tokens), torch.cat(wanted))
        graphs.append(len(backend.seen))
    assert graphs[0] == graphs[1]
    assert graphs[1] == 1 or family != "llama"


def test_compiled_decoding_codes_keys_and_values_once() -> None:
    """In the graph of a layer's attention its two sites stand once each."""
    snn = las.convert(FAMILIES["llama"](), plain.batches())
    torch.compiler.reset()
    backend = Graphs()
    decoded(snn, torch.compile(snn, backend=backend, fullgraph=True), static_cache(snn))
    (graph,) = backend.seen
    coded = [node.args[0] for node in graph.graph.nodes if "las.fused" in str(node.target)]
    attentions = [x for x in snn.modules() if isinstance(x, SpikingAttention)]
    for attention in attentions:
        assert [coded.count(id(x)) for x in (attention.key, attention.value)] == [1, 1]


@pytest.mark.parametrize(
    "block", ["plain", "counted", pytest.param("gradients", marks=pytest.mark.slow)]
)
def test_a_break_between_cache_and_attention_codes_nothing_twice(block: str) -> None:
    """Where gradients are on or somebody counts, compilers leave out both."""
    snn = las.convert(FAMILIES["llama"](), plain.batches()).double()
    torch.compiler.reset()
    compiled = torch.compile(snn, backend="eager")
    logits = []
    for forward in (compiled, snn):
        cache = static_cache(snn)
        with torch.no_grad():
            snn(input_ids=prompt(), past_key_values=cache)
        counting = las.count_spikes(snn) if block == "counted" else nullcontext()
        with torch.set_grad_enabled(block == "gradients"), counting:
            parts = [
                forward(input_ids=prompt()[:, i : i + 1], past_key_values=cache).logits.detach()
                for i in range(3)
            ]
        logits.append(torch.cat(parts, dim=1))
    assert torch.allclose(*logits, rtol=0, atol=1e-9 * float(logits[1].abs().max()))
