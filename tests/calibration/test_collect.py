from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from las.calibration import Statistics, bins, collect
from las.components.linear import spiking_linear
from las.components.running import observing
from las.components.site import HGSite, OATSite
from las.conversion import prepare
from las.errors import CalibrationError

PARTS = ("histogram", "importance", "channel_peak")


def same(a: Statistics, b: Statistics) -> None:
    """Equal up to the order in which floating-point sums were taken."""
    assert a.tokens == b.tokens
    assert a.shared == b.shared
    assert list(a.sites) == list(b.sites)
    for name, one in a.sites.items():
        other = b.sites[name]
        assert (one.kind, one.count) == (other.kind, other.count), name
        for part in ("low", "high", "total", "squares"):
            assert getattr(one, part) == pytest.approx(getattr(other, part), rel=1e-5, abs=1e-4)
        # A value on the border of two bins may fall into either, by the rounding of a matmul.
        moved = np.abs(np.cumsum(one.histogram) - np.cumsum(other.histogram)).max()
        assert moved <= 1 + 1e-3 * one.count, name
        if one.channel_peak.size:
            assert np.allclose(one.channel_peak, other.channel_peak, rtol=1e-4)


class TestWhatASiteSees:
    @pytest.fixture
    def table(self) -> torch.Tensor:
        torch.manual_seed(0)
        table = torch.randn(64, 10) * torch.exp(torch.randn(64, 10) * 3)
        table[3, 4] = 0.0
        table[5, 6] = 3e4
        return table

    def test_the_histogram_is_that_of_numpy(self, probe, table, tokens) -> None:
        site = collect(probe(table), [tokens]).sites["site"]
        magnitudes = table.abs().double().numpy()
        expected, _ = np.histogram(magnitudes[magnitudes > 0], bins.edges())
        assert np.array_equal(site.histogram, expected)
        assert np.array_equal(site.importance, expected)
        assert site.histogram.sum() == site.count - 1 == 639

    def test_extremes_and_moments_are_those_of_numpy(self, probe, table, tokens) -> None:
        site = collect(probe(table), [tokens]).sites["site"]
        values = table.double().numpy()
        assert (site.low, site.high) == (values.min(), values.max())
        assert site.peak == 3e4
        assert site.total == pytest.approx(values.sum(), rel=1e-6)
        assert site.squares == pytest.approx(np.square(values).sum(), rel=1e-6)
        assert np.array_equal(site.channel_peak, np.abs(values).max(0))

    def test_values_beyond_the_bins_go_to_the_end_bins(self, probe, tokens) -> None:
        table = torch.full((64, 2), 1e-20)
        table[:, 1] = 1e30
        site = collect(probe(table), [tokens]).sites["site"]
        assert site.histogram[0] == site.histogram[-1] == 64
        assert site.histogram.sum() == 128

    def test_importance_weighs_each_channel_by_what_its_error_costs(self, probe, tokens) -> None:
        """An error of channel j grows by the squared norm of column j of the weight."""
        table = torch.tensor([[1.5, 12.0, 100.0]]).repeat(64, 1)
        linear = nn.Linear(3, 5)
        model = probe(table)
        model.site = spiking_linear(linear)
        model.site.site.name = "site"
        model.forward = lambda input_ids: model.site(model.table[input_ids])
        site = collect(model, [tokens]).sites["site"]
        columns = linear.weight.double().square().sum(0) * 64
        at = np.searchsorted(bins.edges(), [1.5, 12.0, 100.0], side="right") - 1
        assert np.allclose(site.importance[at], columns.detach().numpy())
        assert site.histogram[at].tolist() == [64, 64, 64]

    def test_before_a_norm_importance_is_relative_to_the_size_of_the_token(
        self, probe, tokens
    ) -> None:
        table = torch.ones(64, 4)
        table[32:] = 1000.0
        site = collect(probe(table, OATSite(scale_free=True)), [tokens]).sites["site"]
        at = np.searchsorted(bins.edges(), [1.0, 1000.0], side="right") - 1
        assert np.allclose(site.importance[at], [128, 128e-6])
        assert site.scale_free

    def test_masked_scores_are_no_activations(self, probe, tokens) -> None:
        table = torch.full((64, 4), -2.5)
        table[:, 2:] = -torch.inf
        site = collect(probe(table, HGSite("exp")), [tokens]).sites["site"]
        assert (site.kind, site.count, site.low, site.high) == ("exp", 128, -2.5, -2.5)

    def test_the_size_of_the_statistics_does_not_grow_with_the_data(
        self, probe, table, tokens
    ) -> None:
        few, many = (collect(probe(table), [tokens] * n).sites["site"] for n in (1, 20))
        for part in PARTS:
            assert getattr(few, part).shape == getattr(many, part).shape
        assert np.array_equal(many.histogram, 20 * few.histogram)


class TestBadInput:
    def test_no_batches(self, probe) -> None:
        with pytest.raises(CalibrationError, match="0 tokens"):
            collect(probe(torch.ones(64, 2)), [])

    def test_too_few_tokens(self, probe) -> None:
        with pytest.raises(CalibrationError, match=r"31 tokens.*32"):
            collect(probe(torch.ones(64, 2)), [{"input_ids": torch.arange(31)[None]}])

    def test_nothing_but_padding(self, probe, tokens) -> None:
        batch = {**tokens, "attention_mask": torch.zeros(2, 32, dtype=torch.long)}
        with pytest.raises(CalibrationError, match="0 tokens"):
            collect(probe(torch.ones(64, 2)), [batch])

    def test_a_batch_without_tokens(self, probe) -> None:
        with pytest.raises(CalibrationError, match=r"input_ids.*pixels"):
            collect(probe(torch.ones(64, 2)), [{"pixels": torch.ones(2, 3)}])

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_nan_and_infinite_activations(self, probe, tokens, value: float) -> None:
        table = torch.ones(64, 2)
        table[17, 1] = value
        with pytest.raises(CalibrationError, match="NaN or infinite activations at site"):
            collect(probe(table), [tokens])

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_nan_and_plus_infinity_among_scores(self, probe, tokens, value: float) -> None:
        table = torch.full((64, 2), -1.0)
        table[17, 1] = value
        with pytest.raises(CalibrationError, match="NaN or infinite activations at site"):
            collect(probe(table, HGSite("exp")), [tokens])

    def test_nan_in_padding_is_no_matter(self, probe) -> None:
        table = torch.ones(65, 2)
        table[64] = torch.nan
        ids = torch.arange(64).view(2, 32).clone()
        ids[1, -4:] = 64
        mask = (ids != 64).long()
        statistics = collect(probe(table), [{"input_ids": ids, "attention_mask": mask}])
        assert statistics.tokens == 60
        assert statistics.sites["site"].count == 120

    def test_a_model_with_a_nan_weight_names_the_site(self, llama, make_batches) -> None:
        with torch.no_grad():
            llama.model.layers[1].mlp.up_proj.weight[3, 3] = torch.nan
        with pytest.raises(CalibrationError, match=r"layers\.1\.mlp"):
            collect(prepare(llama), make_batches())


@pytest.mark.parametrize("kind", ["llama", "bert"])
class TestWholeModels:
    @pytest.fixture
    def model(self, kind: str, request: pytest.FixtureRequest) -> nn.Module:
        return request.getfixturevalue(kind)

    def test_while_collecting_the_model_computes_what_the_original_does(
        self, model, make_batches
    ) -> None:
        class Nobody:
            def observe(self, site: object, x: torch.Tensor, importance: object) -> torch.Tensor:
                return x

        (batch,) = make_batches(1, padding=5)
        kept = batch["attention_mask"].bool()
        model.double()
        with torch.no_grad():
            before = model(**batch)[0]
            prepare(model)
            with observing(model, Nobody()):
                after = model(**batch)[0]
        assert torch.allclose(before[kept], after[kept], rtol=1e-5, atol=1e-6 * before.abs().max())

    def test_padding_is_left_out(self, model, make_batches) -> None:
        prepare(model)
        batches = make_batches(2, rows=3, padding=7)
        first = collect(model, batches)
        for batch in batches:
            batch["input_ids"][batch["attention_mask"] == 0] = 33
        second = collect(model, batches)
        assert first.tokens == 2 * (3 * 24 - 7)
        same(first, second)
        for name, site in first.sites.items():
            assert site.low == second.sites[name].low
            assert site.high == second.sites[name].high

    def test_statistics_do_not_depend_on_how_texts_are_batched(self, model, make_batches) -> None:
        prepare(model)
        (batch,) = make_batches(1, rows=4)
        singles = [{key: x[i : i + 1] for key, x in batch.items()} for i in range(4)]
        same(collect(model, [batch]), collect(model, singles))

    def test_every_site_is_seen(self, model, make_batches) -> None:
        prepare(model)
        statistics = collect(model, make_batches())
        names = {module.name for module in model.modules() if isinstance(module, OATSite | HGSite)}
        unseen = names - set(statistics.sites) - set(statistics.shared)
        # An encoder's pooler reads one token of each text, a site like any other.
        assert not unseen

    def test_linear_layers_that_read_the_same_tensor_are_found(
        self, model, make_batches, kind: str
    ) -> None:
        prepare(model)
        shared = collect(model, make_batches()).shared
        if kind == "llama":
            layer = "model.layers.1"
            assert shared[f"{layer}.self_attn.k_proj.site"] == f"{layer}.self_attn.q_proj.site"
            assert shared[f"{layer}.self_attn.v_proj.site"] == f"{layer}.self_attn.q_proj.site"
            assert shared[f"{layer}.mlp.up_proj.site"] == f"{layer}.mlp.gate_proj.site"
            assert len(shared) == 6
        else:
            layer = "encoder.layer.1.attention.self"
            assert shared[f"{layer}.key.site"] == f"{layer}.query.site"
            assert shared[f"{layer}.value.site"] == f"{layer}.query.site"
            assert len(shared) == 4


def test_a_massive_activation_is_seen(llama, make_batches) -> None:
    statistics = collect(prepare(llama), make_batches())
    assert statistics.sites["model.layers.0.input_layernorm.input"].peak == pytest.approx(300.0)
    assert statistics.sites["model.layers.0.input_layernorm.square"].peak == pytest.approx(300.0)


def test_padding_on_the_left_is_left_out_as_on_the_right(llama, make_batches) -> None:
    """A place of padding sees no key at all; it must not spoil those that come after it."""
    prepare(llama)
    right = make_batches(2, rows=3, padding=7)
    left = [{name: x.flip(1) for name, x in batch.items()} for batch in right]
    for batch in left:  # the same texts again, behind their padding
        for row, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
            row[mask.bool()] = row[mask.bool()].flip(0)
    positions = [(batch["attention_mask"].cumsum(1) - 1).clamp_min(0) for batch in left]
    same(
        collect(llama, right),
        collect(llama, [b | {"position_ids": p} for b, p in zip(left, positions, strict=True)]),
    )
