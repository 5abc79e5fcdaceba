from __future__ import annotations

from dataclasses import replace

from benchmarks.rounds import FEWEST, interleave, timed


def named(calls):
    """Two variants that note when they are called and measure how many calls there were."""

    def variant(name):
        def measure():
            calls.append(name)
            return len(calls)

        return measure

    return {name: variant(name) for name in ("ann", "snn")}


def test_variants_take_turns_after_a_round_that_is_thrown_away(settings):
    calls = []
    series = interleave(named(calls), replace(settings, repeats=2, limit=60), "test")
    assert calls == ["ann", "snn"] * 3
    assert series == {"ann": [3, 5], "snn": [4, 6]}


def test_without_a_warm_up_the_first_round_counts(settings):
    series = interleave(named([]), settings, "test", warm_up=False)
    assert series == {"ann": [1], "snn": [2]}


def test_past_the_limit_only_the_fewest_rounds_run(settings):
    slow = replace(settings, repeats=10, limit=-1)
    assert len(interleave(named([]), slow, "test")["ann"]) == FEWEST
    assert len(interleave(named([]), slow, "test", fewest=1)["ann"]) == 1


def test_timing_calls_the_action():
    calls = []
    assert timed(lambda: calls.append(1))() >= 0
    assert calls == [1]
