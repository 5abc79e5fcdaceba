"""Kernels for GPUs against those for CPUs: on a card, or under Triton's interpreter without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, TypeVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import BertModel, Gemma2ForCausalLM

import las
from las.components import attention, feed_forward, norm
from las.components.activation import SpikingActivation
from las.components.attention import SpikingAttention
from las.components.component import SpikingModule
from las.components.feed_forward import SpikingGate
from las.components.norm import SpikingNorm
from las.components.padding import TokenMasks
from las.components.site import HGSite, OATSite
from las.fitting import FUNCTIONS, fit
from las.neurons import OAT, fused
from las.neurons.encoding import Firing, SpikeEncoding
from las.neurons.tally import SpikeTally
from tests import DEVICE
from tests.tiny_models import plain

kernels: Any = pytest.importorskip("las.neurons.gpu", exc_type=ImportError)

EXAMPLES = settings(max_examples=6, deadline=None)
RANGES = {
    "exp": (-60.0, 0.0),
    "reciprocal": (1.0, 64.0),
    "gelu": (-30.0, 200.0),
    "silu": (-30.0, 200.0),
    "square": (-3e2, 3e2),
    "inverse_sqrt": (1e-6, 1e5),
    "tanh": (-3.0, 3.0),
}
FITTED = {name: fit(FUNCTIONS[name], *ends, 16).neuron for name, ends in RANGES.items()}
NEURONS = [
    OAT((2.5, 40.0, 300.0), (3.0, 45.0), 16, 5),
    OAT((1.0,), (), 16, 1),
    OAT((8.0, 64.0), (9.0,), 7, 16, "floor"),
    OAT((3.0,), (), 10, 3, "half_step"),
    OAT((2.5, 40.0, 300.0), (3.0, 45.0), 24, 16, "signed"),
    OAT((1.0,), (), 16, 1, "signed"),
    OAT((8.0, 64.0), (9.0,), 5, 5, "signed"),
    OAT((8.0,), (), 32, 3, "signed"),
    OAT((2.0,), (), 1, 7, "signed"),
]
SHARE = 0.02
"""Of the spikes, those that may differ where sums are taken in another order: last bits."""
SPECIAL = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e-38, 3e38]


def inputs(seed: int, spread: float, size: int = 700) -> Tensor:
    """Magnitudes of all sizes, and special ones."""
    generator = torch.Generator().manual_seed(seed)
    magnitudes = torch.logspace(-spread, 3, size)[torch.randperm(size, generator=generator)]
    return torch.cat([torch.randn(size, generator=generator) * magnitudes, torch.tensor(SPECIAL)])


def same(ours: SpikeEncoding, theirs: SpikeEncoding) -> None:
    """To the bit, and spike for spike."""
    assert ours.packed is not None and theirs.packed is not None
    assert ours.value.dtype == theirs.value.dtype
    assert torch.equal(ours.value.cpu().isnan(), theirs.value.isnan())
    assert torch.equal(ours.value.cpu().nan_to_num(), theirs.value.nan_to_num())
    assert torch.equal(ours.packed.cpu(), theirs.packed)
    fired = ours.firing
    assert Firing(int(fired.spikes), int(fired.digits), int(fired.active)) == theirs.firing
    assert (int(ours.spikes), int(ours.out_of_range)) == (theirs.spikes, theirs.out_of_range)


@EXAMPLES
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 9),
    st.sampled_from(NEURONS),
    st.sampled_from([None, 1, 4]),
)
def test_oat_neurons_fire_as_on_the_cpu(
    seed: int, spread: float, neuron: OAT, stop: int | None
) -> None:
    x = inputs(seed, spread)
    same(kernels.code_oat(x.to(DEVICE), neuron, True, stop), fused.code_oat(x, neuron, True, stop))


@EXAMPLES
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 9),
    st.sampled_from(sorted(FITTED)),
    st.sampled_from([None, 1, 4]),
)
def test_hg_neurons_fire_as_on_the_cpu(
    seed: int, spread: float, function: str, stop: int | None
) -> None:
    x, neuron = inputs(seed, spread), FITTED[function]
    same(kernels.code_hg(x.to(DEVICE), neuron, True, stop), fused.code_hg(x, neuron, True, stop))


NARROW = {torch.bfloat16: 2**-7, torch.float16: 2**-10}
"""Dtypes of inputs, and the share of a value that is beyond them; the interpreter cuts bits off."""


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_dtypes_are_coded_in_float32(dtype: torch.dtype) -> None:
    x = inputs(1, 4).to(dtype)
    for code, on_cpu, neuron in (
        (kernels.code_oat, fused.code_oat, NEURONS[0]),
        (kernels.code_hg, fused.code_hg, FITTED["gelu"]),
    ):
        ours, theirs = code(x.to(DEVICE), neuron, True, None), on_cpu(x, neuron, True, None)
        if dtype == torch.bfloat16 and DEVICE == "cpu":
            assert torch.equal(ours.counts, theirs.counts)
            share = NARROW[dtype]
            assert torch.allclose(ours.value, theirs.value, rtol=share, atol=0, equal_nan=True)
        else:
            same(ours, theirs)


def test_shapes_strides_and_no_counting() -> None:
    x = torch.randn(3, 5, 7).transpose(0, 2)
    coded = kernels.code_oat(x.to(DEVICE), NEURONS[0], False, None)
    assert coded.counts is None
    assert (coded.spikes, coded.out_of_range) == (0, 0)
    assert torch.equal(coded.value.cpu(), fused.code_oat(x, NEURONS[0]).value)
    empty = kernels.code_hg(torch.zeros(0, 4, device=DEVICE), FITTED["exp"], True, None)
    assert empty.value.shape == (0, 4)
    assert int(empty.spikes) == 0


Component = TypeVar("Component", bound=SpikingModule)


def set_up(component: Component) -> Component:
    """Gives every neuron its name and parameters."""
    for path, part in component.named_modules():
        if isinstance(part, SpikingModule):
            part.name = f"top.{path}" if path else "top"
        if isinstance(part, OATSite):
            part.neuron = OAT((5.0, 320.0), (8.0,))
        elif isinstance(part, HGSite):
            part.neuron = FITTED[part.function]
    return component


def spiking_attention(cap: float | None = None) -> SpikingAttention:
    component = set_up(SpikingAttention(cap))
    component.probability.neuron = OAT((0.03, 1.0), (0.04,))
    return component


def cast(x: Any, dtype: torch.dtype) -> Any:
    """Numbers as a dtype; masks and the rest as they are."""
    return x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x


Result = tuple[Tensor, SpikeTally]
Both = Callable[..., tuple[Result, Result]]
USERS = (fused, attention, feed_forward, norm)
"""Modules that ask whether there are kernels for GPUs."""


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Both:
    """Runs a component on the kernels for GPUs, and on those for CPUs."""

    def on(device: str, component: Any, tensors: Any) -> Result:
        tally = SpikeTally()
        moved = [x.to(device) if isinstance(x, Tensor) else x for x in tensors]
        with torch.no_grad(), component.run.counted(tally):
            return component.to(device)(*moved).cpu(), tally

    def run(
        component: Any, *tensors: Any, dtype: torch.dtype = torch.float32
    ) -> tuple[Result, Result]:
        """The CPU's have the same inputs and weights, in float32."""
        narrow = [cast(x, dtype) for x in tensors]
        with monkeypatch.context() as patch:
            for module in USERS:
                patch.setattr(module, "has_triton", lambda x: True)
            value, tally = on(DEVICE, component.to(dtype), narrow)
            assert value.dtype == dtype
        wide = [cast(x, torch.float32) for x in narrow]
        return (value.float(), tally), on("cpu", component.float(), wide)

    return run


def operands(
    heads: int, key_heads: int, queries: int, keys: int, width: int, out: int
) -> list[Tensor]:
    """Queries, keys and values; scores are sums of few bits, which no order rounds."""
    generator = torch.Generator().manual_seed(5)

    def few_bits(*shape: int) -> Tensor:
        return torch.randint(-8, 9, shape, generator=generator) / 4

    return [
        few_bits(2, heads, queries, width),
        few_bits(2, key_heads, keys, width),
        few_bits(2, key_heads, keys, out),
    ]


def close(ours: Result, theirs: Result, share: float, apart: float = 2e-5) -> None:
    """Values alike, and numbers of spikes but for a share of them."""
    (value, tally), (expected, reference) = ours, theirs
    assert (value - expected).norm() <= apart * expected.norm()
    assert tally.sites.keys() == reference.sites.keys()
    for name, site in reference.sites.items():
        assert tally.sites[name].activations == site.activations
        assert tally.sites[name].out_of_range == site.out_of_range
        few = 4 if share else 0
        assert abs(tally.sites[name].spikes - site.spikes) <= share * site.spikes + few
    for name, operation in reference.operations.items():
        assert tally.operations[name].macs == operation.macs
        assert tally.operations[name].nonlinear == operation.nonlinear
        assert abs(tally.operations[name].sops - operation.sops) <= share * operation.sops


def test_attention_fires_spike_for_spike_where_no_order_of_sums_matters(both) -> None:
    """Each query sees two keys, so that its exponentials have one sum, and one query none."""
    tensors = operands(heads=2, key_heads=1, queries=21, keys=40, width=16, out=16)
    seen = torch.zeros(2, 1, 21, 40, dtype=torch.bool)
    for row in range(20):
        seen[:, :, row, [row, 39 - row // 2]] = True
    ours, theirs = both(spiking_attention(), *tensors, seen, 0.25)
    close(ours, theirs, share=0)
    assert (ours[0][:, :, 20] == 0).all()
    assert ours[1].spikes > 1000


SEEN = {
    "all": None,
    "the past": torch.ones(1, 1, 33, 33, dtype=torch.bool).tril(),
    "a window": torch.ones(1, 1, 33, 33, dtype=torch.bool).tril().triu(-5),
    "padding on the left": torch.ones(2, 1, 33, 33, dtype=torch.bool)
    .tril()
    .logical_and((torch.arange(33) >= torch.tensor([[0], [13]])).view(2, 1, 1, 33)),
}


@pytest.mark.parametrize("seen", SEEN)
def test_attention_of_shared_heads_and_odd_widths(both, seen: str) -> None:
    tensors = operands(heads=2, key_heads=1, queries=33, keys=33, width=24, out=20)
    close(*both(spiking_attention(), *tensors, SEEN[seen], 24**-0.5), share=SHARE)


def test_attention_with_a_bias_of_positions(both) -> None:
    tensors = operands(heads=2, key_heads=2, queries=17, keys=50, width=16, out=16)
    bias = torch.randn(1, 2, 17, 50, generator=torch.Generator().manual_seed(6))
    close(*both(spiking_attention(), *tensors, None, 0.3, bias), share=SHARE)


def test_one_query_after_many_keys(both) -> None:
    tensors = operands(heads=4, key_heads=2, queries=1, keys=130, width=64, out=64)
    close(*both(spiking_attention(), *tensors, None, 0.125), share=SHARE)


def test_a_window_whose_first_blocks_of_keys_are_hidden(both) -> None:
    tensors = operands(heads=1, key_heads=1, queries=1, keys=100, width=16, out=16)
    seen = torch.arange(100) >= 70
    close(*both(spiking_attention(), *tensors, seen.view(1, 1, 1, 100), 0.25), share=SHARE)


@pytest.mark.parametrize("dtype", NARROW)
def test_attention_of_narrow_dtypes(dtype: torch.dtype) -> None:
    """Scores, which are exact, and the neurons' arithmetic are float32, probabilities narrow."""
    if dtype == torch.bfloat16 and DEVICE == "cpu":
        pytest.skip("the interpreter multiplies blocks of bfloat16 as if they were integers")
    query, key, value = (
        x.to(dtype) for x in operands(heads=2, key_heads=2, queries=17, keys=40, width=16, out=16)
    )
    seen = torch.ones(17, 40, dtype=torch.bool).tril(20)
    exp, inverse, coder = FITTED["exp"], FITTED["reciprocal"], OAT((0.03, 1.0), (0.04,))
    scores = (query.float() @ key.float().mT * 0.25).masked_fill(~seen, -torch.inf)
    e = fused.code_hg(scores - scores.amax(-1, keepdim=True), exp, True)
    weights = fused.code_hg(e.value.where(seen, 0).sum(-1, keepdim=True), inverse, True)
    p = fused.code_oat(e.value.where(seen, 0) * weights.value, coder, True)
    expected = p.value.to(dtype).float() @ value.float()

    moved = (x.to(DEVICE) for x in (query, key, value, seen))
    neurons = (exp, inverse, coder)
    ours = kernels.attend(*moved, None, 0.25, neurons, None, None, True, None)
    assert ours.context.dtype == dtype
    error = ours.context.cpu().float() - expected
    assert error.norm() <= NARROW[dtype] * expected.norm()
    assert e.packed is not None
    totals = ours.totals.tolist()
    pairs = 4 * int(seen.sum())
    assert totals[0] == int((e.packed & 0xFF).masked_fill(~seen, 0).sum(dtype=torch.int64))
    assert totals[9:11] == [pairs, 4 * 17]
    assert totals[4] == pytest.approx(p.spikes, rel=SHARE)


@pytest.mark.parametrize(
    ("seen", "biased", "counting"),
    [
        ("all", True, True),
        ("the past", False, True),
        ("a window", False, False),
        ("padding on the left", True, True),
    ],
)
def test_capped_scores(monkeypatch, seen: str, biased: bool, counting: bool) -> None:
    """The cap's own neurons fire spike for spike as they do site by site: these sums are exact.

    Some scores are beyond their range. Padding does not count there, either.
    """
    component = spiking_attention(cap=5.0)
    query, key, value = operands(heads=2, key_heads=1, queries=33, keys=33, width=16, out=20)
    bias = torch.randn(1, 2, 33, 33, generator=torch.Generator().manual_seed(6))
    keep = torch.arange(33) < torch.tensor([[33], [30]])
    rest = (SEEN[seen], 1.0, bias if biased else None)

    def attended(device: str) -> Result:
        tally = SpikeTally()
        counts = component.run.counted(tally) if counting else nullcontext()
        moved = [None if x is None else x.to(device) for x in (query, key, value, rest[0], rest[2])]
        masks = TokenMasks(keep=keep.to(device))
        with torch.no_grad(), component.run.within(masks), counts:
            context = component.to(device)(*moved[:4], rest[1], moved[4])
        return context.cpu(), tally

    with monkeypatch.context() as patch:
        patch.setattr(attention, "has_kernels", lambda x: False)
        composed = attended("cpu")
    blocks = attended("cpu")
    with monkeypatch.context() as patch:
        for module in USERS:
            patch.setattr(module, "has_triton", lambda x: True)
        patch.setattr(SpikingAttention, "_composed", None)
        ours = attended(DEVICE)
    for one in (ours, blocks):
        close(one, composed, share=SHARE)
        if counting:
            site, reference = (each[1].sites["top.soft_cap.site"] for each in (one, composed))
            assert site == reference
            operations = [each[1].operations["top.soft_cap"] for each in (one, composed)]
            assert operations[0] == operations[1]
    if counting:
        assert reference.out_of_range > 0
        assert reference.activations < 2 * 4 * 33 * 33
    else:
        assert not ours[1].sites


@pytest.mark.parametrize(
    ("dtype", "width", "room"),
    [(torch.float32, 128, True), (torch.float32, 129, False), (torch.bfloat16, 256, True)],
)
def test_heads_that_a_card_has_no_room_for_are_composed(dtype, width: int, room: bool) -> None:
    x = torch.zeros(1, 1, 2, width, dtype=dtype)
    assert kernels.fits(x, x[..., :16]) == kernels.fits(x[..., :16], x) == room


class Gate(SpikingGate):
    """Its two currents are the halves of its input."""

    def currents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = x.chunk(2, dim=-1)
        return gate, up

    def _down(self, product: Tensor) -> Tensor:
        return product


def test_a_gated_product_spike_for_spike(both) -> None:
    x = inputs(3, 5, size=1200)[:1200].view(3, 4, 100)
    ours, theirs = both(set_up(Gate({}, SpikingActivation("silu"))), x)
    close(ours, theirs, share=0)
    assert torch.equal(ours[0], theirs[0])


@pytest.mark.parametrize("dtype", NARROW)
def test_a_narrow_gated_product_spike_for_spike(both, dtype: torch.dtype) -> None:
    x = inputs(3, 5, size=1200)[:1200].view(3, 4, 100) / 64
    ours, theirs = both(set_up(Gate({}, SpikingActivation("silu"))), x, dtype=dtype)
    close(ours, theirs, share=0, apart=NARROW[dtype])


@pytest.mark.parametrize(
    ("width", "affine", "centred"),
    [(48, True, True), (48, False, False), (129, False, True), (129, True, False)],
)
def test_a_norm(both, width: int, affine: bool, centred: bool) -> None:
    generator = torch.Generator().manual_seed(width)
    x = torch.randn(2, 5, width, generator=generator) * 10
    x[0, 0, 3] = 250.0
    gamma, beta = (torch.randn(width, generator=generator) for _ in range(2))
    weights = (nn.Parameter(gamma), nn.Parameter(beta)) if affine else (None, None)
    component = set_up(SpikingNorm(*weights, eps=1e-5, centred=centred))
    ours, theirs = both(component, x)
    close(ours, theirs, share=SHARE)
    if not centred:  # these see x itself, and no sum
        for site in ("top.square", "top.input"):
            assert ours[1].sites[site] == theirs[1].sites[site]


@pytest.mark.parametrize("dtype", NARROW)
def test_a_norm_of_narrow_inputs_and_weights(both, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 48, generator=generator) * 10
    weights = [nn.Parameter(torch.randn(48, generator=generator)) for _ in range(2)]
    component = set_up(SpikingNorm(*weights, eps=1e-5, centred=True))
    close(*both(component, x, dtype=dtype), share=SHARE, apart=NARROW[dtype])


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Models run on the kernels for GPUs inside the test."""
    for module in USERS:
        monkeypatch.setattr(module, "has_triton", lambda x: x.dtype != torch.float64)
    return


def gemma_2() -> nn.Module:
    """Its scores are capped, and so are its logits; its first layer has a sliding window."""
    grouped = dict(num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=3)
    return plain.make(Gemma2ForCausalLM, num_hidden_layers=1, **grouped)


def bert() -> nn.Module:
    return plain.make(BertModel, num_hidden_layers=1)


@pytest.mark.parametrize("make", [lambda: plain.llama(layers=1), bert, gemma_2])
def test_a_model_gives_what_it_gives_on_the_cpu(make: Any, request: Any) -> None:
    """Padding is counted nowhere there, either."""
    model = las.convert(make(), plain.batches())
    batch = {"input_ids": plain.batches()[0]["input_ids"][:2, :4]}
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    batch["attention_mask"][0, -2:] = 0
    with torch.no_grad(), las.count_spikes(model) as reference:
        expected = model(**batch)[0]
    request.getfixturevalue("everywhere")
    model = model.to(DEVICE)
    moved = {name: x.to(DEVICE) for name, x in batch.items()}
    with torch.no_grad(), las.count_spikes(model) as tally:
        value = model(**moved)[0].cpu()
    keep = batch["attention_mask"].bool()
    assert (value - expected)[keep].norm() < 1e-4 * expected[keep].norm()
    assert tally.tokens == reference.tokens
    assert abs(tally.spikes - reference.spikes) < 5e-3 * reference.spikes
    for name, site in reference.sites.items():
        assert tally.sites[name].activations == site.activations
