"""The run state that the components of one model share."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
import torch
from torch import nn

import las
from las.components.attention import SpikingAttention
from las.components.linear import SpikingLinear, spiking_linear
from las.components.norm import SpikingNorm
from las.components.run_state import RunState
from las.components.running import running
from las.errors import LasError
from las.neurons.tally import SpikeTally


def in_thread(function) -> object:
    """What a function returns in another thread; its errors are raised here."""
    results: list[object] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def layer() -> SpikingLinear:
    return spiking_linear(nn.Linear(6, 5))


class TestBlocks:
    def test_none_is_open_at_first(self) -> None:
        run = RunState()
        assert (run.simulating, run.stop, run.observer, run.counting) == (False, None, None, False)

    def test_the_innermost_stop_holds_and_the_outer_one_is_back_afterwards(self) -> None:
        run = RunState()
        with run.stop_after(5):
            with run.stop_after(2):
                assert run.stop == 2
            assert run.stop == 5
        assert run.stop is None

    def test_simulating_nests(self) -> None:
        run = RunState()
        with run.simulate():
            with run.simulate():
                assert run.simulating
            assert run.simulating
        assert not run.simulating

    def test_every_open_tally_is_filled(self) -> None:
        run, outer, inner = RunState(), SpikeTally(), SpikeTally()
        with run.counted(outer):
            run.add_spikes("a", "oat", 16, 10, 30, 1)
            with run.counted(inner, "model."):
                run.add_spikes("a", "oat", 16, 10, 5, 0)
                run.add_operations("b", "b", "linear", 7, 2, {})
        run.add_spikes("a", "oat", 16, 10, 1000, 0)
        assert outer.spikes == 35
        assert {name: site.spikes for name, site in inner.sites.items()} == {"model.a": 5}
        assert outer.operations["b"].sops == inner.operations["model.b"].sops == 7

    def test_the_same_tally_twice_and_equal_stops_are_blocks_of_their_own(self) -> None:
        run = RunState()
        with run.stop_after(3):
            with run.stop_after(3):
                pass
            assert run.stop == 3

    def test_blocks_may_be_closed_in_any_order_and_by_any_thread(self) -> None:
        run = RunState()
        first, second, third = (run.stop_after(steps) for steps in (1, 2, 3))
        first.__enter__()
        in_thread(second.__enter__)
        third.__enter__()
        in_thread(lambda: first.__exit__(None, None, None))
        assert run.stop == 3
        third.__exit__(None, None, None)
        assert run.stop == 2
        second.__exit__(None, None, None)
        assert run.stop is None

    def test_a_block_ends_where_an_error_leaves_it(self) -> None:
        run = RunState()
        with pytest.raises(RuntimeError), run.simulate(), run.counted(SpikeTally()):
            raise RuntimeError
        assert not run.simulating
        assert not run.counting

    def test_a_block_holds_in_all_threads(self) -> None:
        run = RunState()
        with run.simulate():
            assert in_thread(lambda: run.simulating)

    def test_what_one_thread_hands_over_no_other_takes(self) -> None:
        run, module = RunState(), nn.Module()
        run.hand_over(module, "mine")
        assert in_thread(lambda: run.take(module)) is None
        assert run.take(module) == "mine"
        assert run.take(module) is None

    def test_a_module_that_is_gone_leaves_nothing_behind(self) -> None:
        run = RunState()
        run.hand_over(nn.Module(), "lost")
        assert len(run._handed) == 0


class TestSharing:
    def test_a_component_alone_has_a_state_of_its_own(self) -> None:
        assert layer().run is not layer().run

    def test_parts_share_the_state_of_the_whole(self) -> None:
        attention = SpikingAttention(cap=5.0)
        parts = [attention.query, attention.softmax.exp, attention.soft_cap.site]
        assert all(part.run is attention.run for part in parts)
        norm = SpikingNorm(None, None, 1e-5, centred=True)
        norm.add_module("inner", nn.Sequential(layer(), layer()))
        assert all(one.run is norm.run for one in norm.inner)

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
    def test_a_copy_has_one_state_of_its_own(self, copied) -> None:
        attention = SpikingAttention()
        with las.simulate(attention), las.count_spikes(attention):
            other = copied(attention)
        assert other.run is not attention.run
        assert not other.run.simulating
        assert not other.run.counting
        assert other.softmax.exp.run is other.probability.run is other.run

    def test_it_is_no_part_of_a_checkpoint(self) -> None:
        assert set(layer().state_dict()) == {"weight", "bias"}


class TestRunning:
    def test_of_two_models_each_is_found_where_it_lies(self) -> None:
        both = nn.ModuleDict({"a": nn.Sequential(layer()), "b": nn.Sequential(layer())})
        for model in both.values():
            model[0].name, model[0].site.name = "0", "0.site"
        assert [(one.path, one.model) for one in running(both)] == [("a", both.a), ("b", both.b)]

    def test_a_part_stands_for_its_model(self, spiking) -> None:
        model = spiking(nn.Sequential(layer(), layer()))
        (one,) = running(model[1])
        assert one.run is model[0].run

    def test_what_does_not_spike_is_an_error(self) -> None:
        with pytest.raises(LasError, match=r"Linear.*las\.convert first"):
            running(nn.Linear(2, 2))


def test_a_tally_filled_by_many_threads_is_exact() -> None:
    tally = SpikeTally()
    start = threading.Barrier(8)

    def add() -> None:
        start.wait()
        for _ in range(2000):
            tally.add_spikes("a", "oat", 16, activations=3, spikes=2, out_of_range=1)
            tally.add_operations("b", "b", "norm", sops=5, macs=4, nonlinear={"sqrt": 1})
            tally.add_tokens(1)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.sites["a"].spikes == 2 * 16000
    assert tally.operations["b"].nonlinear == {"sqrt": 16000}
    assert tally.tokens == 16000


def test_a_component_of_ones_own_counts_and_simulates(spiking, assert_one_truth) -> None:
    """As the docstring of `SpikingComponent` has it."""
    from collections.abc import Sequence
    from math import prod

    from torch import Tensor

    from las.components import OATSite, SpikingComponent, Work, accumulate

    class SpikingScale(SpikingComponent):
        equations = "Eq. 10"

        def __init__(self, weight: nn.Parameter) -> None:
            super().__init__()
            self.weight = weight
            self.site = OATSite()

        def work(self, x: Sequence[int]) -> tuple[Work, ...]:
            return (Work("linear", macs=prod(x)),)

        def forward(self, x: Tensor) -> Tensor:
            if self.run.simulating:
                return accumulate(spikes * self.weight for spikes in self.site.steps(x))
            spiked = self.site(x)
            if self.run.counting:
                self.count(self.work(x.shape), spiked.spikes)
            return spiked.value * self.weight

    scale = spiking(SpikingScale(nn.Parameter(torch.randn(7))))
    x = torch.randn(3, 7, dtype=torch.float64)
    assert_one_truth(scale, lambda: scale(x))
    with las.count_spikes(scale) as tally:
        scale(x)
    operation = tally.operations["top"]
    assert (operation.kind, operation.macs) == ("linear", 21)
    assert operation.sops == tally.sites["top.site"].spikes > 0
