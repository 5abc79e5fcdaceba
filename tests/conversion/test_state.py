"""State belongs to the model: several models, threads, blocks within blocks, wrappers, copies."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import DynamicCache, TextIteratorStreamer

import las
from las.calibration import collect
from las.conversion import prepare
from las.errors import LasError
from las.neurons.tally import SpikeTally
from tests.tiny_models import plain as tiny

LAYER = "model.layers.0.self_attn.q_proj.site"


@pytest.fixture(scope="module")
def a() -> Any:
    return las.convert(tiny.llama(), tiny.batches())


@pytest.fixture(scope="module")
def b(a: Any) -> Any:
    return copy.deepcopy(a)


@pytest.fixture(autouse=True)
def impatient_threads() -> Iterator[None]:
    """Threads take turns within a layer, not once in a pass of a tiny model."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def batch() -> dict[str, Tensor]:
    (made,) = tiny.batches(1)
    return made


def run(model: Any, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model(**batch).logits
    return logits


def alone(model: Any, batch: dict[str, Tensor]) -> SpikeTally:
    with las.count_spikes(model) as tally:
        run(model, batch)
    assert tally.spikes > 0
    return tally


def times(tally: SpikeTally, n: int) -> SpikeTally:
    many = SpikeTally()
    for _ in range(n):
        many.merge(tally)
    return many


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """What some functions return that begin together, one thread each."""
    start = threading.Barrier(len(functions))
    results: list[Any] = [None] * len(functions)

    def call(place: int, function: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[place] = function()
        except BaseException as error:
            results[place] = error

    threads = [threading.Thread(target=call, args=each) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


class TestTwoModels:
    def test_spikes_of_one_are_not_those_of_the_other(self, a, b, batch) -> None:
        with las.count_spikes(a) as tally:
            run(b, batch)
        assert tally == SpikeTally()
        with las.count_spikes(a) as of_a, las.count_spikes(b) as of_b:
            run(a, batch)
            run(b, batch)
            run(b, batch)
        assert of_a == alone(a, batch)
        assert of_b == times(alone(a, batch), 2)

    def test_one_simulates_while_the_other_runs_fused(self, a, b, batch, monkeypatch) -> None:
        simulated: list[str] = []
        steps = las.components.OATSite.steps

        def noted(site: Any, *args: Any, **kwargs: Any) -> Any:
            simulated.append(site.name)
            return steps(site, *args, **kwargs)

        monkeypatch.setattr(las.components.OATSite, "steps", noted)
        fused = run(a, batch)
        with las.simulate(a):
            assert torch.equal(run(b, batch), fused)
            assert not simulated
            run(a, batch)
            assert LAYER in simulated

    def test_one_is_stopped_and_the_other_is_not(self, a, b, batch) -> None:
        whole = run(a, batch)
        with las.stop_after(a, 3):
            assert torch.equal(run(b, batch), whole)
            assert not torch.equal(run(a, batch), whole)

    def test_in_one_module_both_are_counted_under_their_paths(self, a, b, batch) -> None:
        class Both(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.second = a, b

            def forward(self, **batch: Tensor) -> Tensor:
                return self.first(**batch).logits + self.second(**batch).logits

        both = Both()
        with las.count_spikes(both) as tally, torch.no_grad():
            both(**batch)
        one = alone(a, batch)
        assert tally.tokens == 2 * one.tokens
        assert tally.spikes == 2 * one.spikes
        assert tally.sites[f"first.{LAYER}"] == tally.sites[f"second.{LAYER}"] == one.sites[LAYER]
        with las.stop_after(both, 4), las.count_spikes(both) as stopped, torch.no_grad():
            both(**batch)
        assert {site.time_steps for site in stopped.sites.values()} == {4}


class TestBlocksWithinBlocks:
    def test_every_open_block_counts(self, a, batch) -> None:
        one = alone(a, batch)
        with las.count_spikes(a) as outer:
            run(a, batch)
            with las.count_spikes(a) as inner:
                run(a, batch)
            run(a, batch)
        run(a, batch)
        assert inner == one
        assert outer == times(one, 3)

    def test_a_wrapper_and_a_part_mean_the_model(self, a, batch) -> None:
        class Wrapper(nn.Module):
            """As peft has it: its own forward is not the one that `generate` calls."""

            def __init__(self) -> None:
                super().__init__()
                self.base = nn.ModuleDict({"model": a})

        one = alone(a, batch)
        with las.count_spikes(Wrapper()) as outside, las.count_spikes(a.model) as inside:
            run(a, batch)
        assert outside == one
        assert inside == one
        with las.simulate(Wrapper()):
            assert a.model.norm.run.simulating

    def test_a_dense_model_has_nothing_to_count(self) -> None:
        with pytest.raises(LasError, match=r"las\.convert first"), las.count_spikes(tiny.llama()):
            pass


class TestThreads:
    def test_a_model_that_runs_in_a_thread_counts_what_it_counts_alone(self, a, batch) -> None:
        with las.count_spikes(a) as tally:
            at_once(lambda: run(a, batch))
        assert tally == alone(a, batch)

    def test_a_stream_of_text(self, a, byte_tokenizer) -> None:
        ids = torch.tensor([[1, 9, 8, 7]])
        options = dict(max_new_tokens=6, do_sample=False, pad_token_id=0, eos_token_id=None)

        def write(streamer: Any = None) -> Tensor:
            with torch.no_grad():
                made: Tensor = a.generate(
                    ids, attention_mask=torch.ones_like(ids), streamer=streamer, **options
                )
            return made

        with las.count_spikes(a) as expected:
            text = write()
        streamer = TextIteratorStreamer(byte_tokenizer)
        with las.count_spikes(a) as tally:
            thread = threading.Thread(target=write, args=(streamer,))
            thread.start()
            pieces = list(streamer)
            thread.join()
        assert "".join(pieces) == byte_tokenizer.decode(text[0])
        assert tally == expected
        assert tally.tokens == 4 + 5

    @pytest.mark.parametrize("simulated", [False, True])
    def test_several_threads_count_as_often_as_they_run(self, a, batch, simulated: bool) -> None:
        """Readers of one tensor, and keys that enter a cache, are those of their own thread."""
        model = copy.deepcopy(a)

        def half(part: slice) -> Callable[[], Tensor]:
            ids = batch["input_ids"][part]

            def decode() -> Tensor:
                cache = DynamicCache(config=model.config)
                with torch.no_grad():
                    return torch.cat(
                        [
                            model(input_ids=new, past_key_values=cache).logits
                            for new in ids.split([7, 1, ids.shape[1] - 8], dim=1)
                        ],
                        dim=1,
                    )

            return decode

        runs = [half(slice(row % 2, row % 2 + 1)) for row in range(2 if simulated else 6)]
        with las.simulate(model) if simulated else nullcontext():
            with las.count_spikes(model) as one_by_one:
                expected = [decode() for decode in runs]
            with las.count_spikes(model) as together:
                found = at_once(*runs)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)
        assert together == one_by_one

    def test_blocks_that_come_and_go_disturb_no_pass_of_another_thread(self, a, batch) -> None:
        expected, one = run(a, batch), alone(a, batch)
        over = threading.Event()

        def count_now_and_then() -> int:
            opened = 0
            while not over.is_set():
                with las.count_spikes(a):
                    opened += 1
            return opened

        def work() -> tuple[list[Tensor], SpikeTally]:
            try:
                with las.count_spikes(a) as tally:
                    return [run(a, batch) for _ in range(8)], tally
            finally:
                over.set()

        opened, (outputs, tally) = at_once(count_now_and_then, work)
        assert opened > 0
        assert all(torch.equal(output, expected) for output in outputs)
        assert tally == times(one, 8)
        assert not a.model.norm.run.counting


class TestCopies:
    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
    def test_a_copy_runs_by_itself(self, a, batch, copied) -> None:
        expected = run(a, batch)
        with las.count_spikes(a) as of_a, las.stop_after(a, 2):
            other = copied(a)
            assert torch.equal(run(other, batch), expected)
            with las.count_spikes(other) as of_other:
                run(other, batch)
        assert of_a == SpikeTally()
        assert of_other == alone(a, batch)


def test_collecting_twice_gives_the_same_statistics_to_the_bit() -> None:
    """Query, key and value share a reader, whose channels count as much as all three need."""
    model, batches = prepare(tiny.llama()), tiny.batches()
    first, second = collect(model, batches), collect(model, batches)
    assert len(first.shared) > 0
    assert first.shared == second.shared
    assert first.sites.keys() == second.sites.keys()
    for name, site in first.sites.items():
        for field, value in vars(site).items():
            assert np.array_equal(value, getattr(second.sites[name], field)), (name, field)
    assert first.sites[LAYER].importance.sum() > 0
