"""Every section measures what it says, on models of two layers."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
import torch
from transformers import OPTConfig

from benchmarks.apart import kept
from benchmarks.records import COUNTING, SNN, read_records
from benchmarks.sections import ENCODER, LANGUAGE_MODEL, SECTIONS, gpu
from benchmarks.sections.profile import PARTS, REST
from benchmarks.table import render
from benchmarks.worker import store
from las.conversion import is_spiking
from tests.tiny_models import plain


def measure(section, settings, **sizes):
    return importlib.import_module(f"benchmarks.sections.{section}").measure(settings, **sizes)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_can_be_measured(section):
    assert callable(importlib.import_module(f"benchmarks.sections.{section}").measure)


def test_forward_leaves_out_what_would_take_too_long(trained):
    shapes = ((1, 8), (1, 16), (2, 8), (2, 16))
    patient = replace(trained, limit=1e6)
    assert [case.unmeasured for case in measure("forward", patient, shapes=shapes)] == [None] * 5
    cases = measure("forward", replace(trained, limit=0), shapes=shapes)
    assert [case.name for case in cases] == [
        "1 x 8",
        "1 x 16",
        "2 x 8",
        "2 x 16",
        "1 x 16, last logits only",
    ]
    assert [case.unmeasured is None for case in cases] == [True, True, False, False, True]
    assert cases[0].comparisons == (SNN, COUNTING)
    assert {name: len(values) for name, values in cases[0].series.items()} == {
        "ann": 1,
        "snn": 1,
        "counting": 1,
    }


def test_encoder_counts_tokens_without_padding(trained):
    full, padded = measure("encoder", trained, batch=2, length=16)
    assert (full.tokens, padded.tokens) == (32, 18)  # lengths 2 and 16


def test_generation(trained):
    (case,) = measure("generation", trained, prompt=4, count=3)
    assert case.tokens == 3
    assert case.ratios(SNN).count == 1


def test_every_kernel_is_a_part_of_the_profile(trained):
    cases = [(LANGUAGE_MODEL, 1, 16), (ENCODER, 2, 16)]
    language, counting, encoder, _ = measure("profile", trained, cases=cases)
    assert counting.name == f"{LANGUAGE_MODEL}, 1 x 16, counting"
    shown = {comparison.measured for case in (language, encoder) for comparison in case.comparisons}
    assert shown == {*PARTS, REST}
    assert language.series["gate neurons"][0] > 0 == encoder.series["gate neurons"][0]
    assert encoder.series["activation neurons"][0] > 0


def test_simulator(trained):
    (case,) = measure("simulator", trained, length=4)
    assert set(case.series) == {"ann", "simulator"}


def test_calibration_is_silent(trained, capsys):
    (case,) = measure("calibration", trained, batches=2, length=24)
    assert case.tokens == 48
    assert "calibrating" not in capsys.readouterr().err


def test_fitting(trained):
    cases = measure("fitting", trained)
    assert [set(case.series) for case in cases] == [{"functions", "thresholds"}] * 2


@pytest.mark.parametrize(("section", "values"), [("time_steps", (8, 16)), ("levels", (1, 5))])
def test_sweeps_hold_the_last_value_against_the_first(section, values, trained):
    *cases, ends = measure(section, trained, values=values, length=8)
    assert [case.parameters[section] for case in cases] == list(values)
    assert cases[0].series["ann"] is cases[1].series["ann"]
    (comparison,) = ends.comparisons
    assert ends.series[comparison.measured] is cases[1].series["snn"]
    assert ends.series[comparison.reference] is cases[0].series["snn"]


def test_width_needs_no_trained_model(settings):
    (case,) = measure("width", settings, widths=(32,), length=24)
    assert case.parameters == {"width": 32}


def test_gpu_says_so_where_there_is_none(settings, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (case,) = measure("gpu", settings)
    assert case.unmeasured == "unmeasured: no GPU in this run"


def test_models_of_the_gpu_section_share_their_weights():
    pair = gpu.Pair(plain.config(OPTConfig, num_hidden_layers=1), "cpu", convertible=True)
    ann, snn = pair.ann, pair.snn
    assert is_spiking(snn) and not is_spiking(ann)
    assert snn.lm_head.weight is ann.lm_head.weight
    assert ann.lm_head.weight.dtype == torch.bfloat16
    ids = torch.arange(5, 15)[None]
    assert torch.isfinite(snn(ids).logits).all()


def gpu_cases(settings, configs, failed=frozenset()):
    """What the section lists, on the CPU: all but the peaks of memory."""
    sizes = dict(shapes=((1, 8), (1, 2100)), written=2, device="cpu")
    small = plain.config(OPTConfig, num_hidden_layers=1)
    return gpu.listed(settings, failed, configs, {"deep": small}, small, **sizes)


def test_the_gpu_section_measures_every_case_and_one_that_fails_costs_no_other(settings):
    """The second shape has more tokens than the model has positions."""
    config = plain.config(OPTConfig, num_hidden_layers=1)
    cases = [kept(name, run) for name, run in gpu_cases(settings, {"tiny": config})]
    store("gpu", settings, lambda _: [case for outcome in cases for case in outcome.cases])
    (record,) = read_records(settings.output, ["gpu"])
    assert [case.name for case in record.cases] == [
        "neurons",
        "answers in bfloat16",
        "tiny: conversion",
        "tiny: 1 x 8",
        "tiny: 1 x 2100",
        "tiny: 1 x 2 tokens written",
        "tiny: 16 x 2 tokens written",
        "tiny: calibration",
        "deep: conversion",
    ]
    by_name = {case.name: case for case in record.cases}
    failed = by_name.pop("tiny: 1 x 2100").unmeasured
    assert failed.startswith("failed: IndexError: ")
    assert "\n" not in failed
    assert {case.unmeasured for case in by_name.values()} == {None}
    assert by_name["tiny: 1 x 8"].comparisons == (SNN, COUNTING)
    assert min(by_name["answers in bfloat16"].series["snn"]) > 0
    assert min(by_name["tiny: calibration"].series["hash"]) > 0
    assert "tiny: profile, 1 x 8" in (settings.output / "gpu_profile.txt").read_text()
    assert "| gpu | tiny: 1 x 2100 | failed: IndexError" in render([record])


def test_originals_are_measured_where_the_conversion_failed(settings):
    config = plain.config(OPTConfig, num_hidden_layers=1)
    failed = frozenset({"tiny: conversion"})
    listed = dict(gpu_cases(settings, {"tiny": config}, failed))
    for name in ("tiny: 1 x 8", "tiny: 1 x 2 tokens written"):
        (case,) = kept(name, listed[name]).cases
        assert set(case.series) == {"ann"}
        assert case.comparisons == (gpu.ANN,)
    (case,) = listed["tiny: calibration"]()
    assert case.series["calibration"][0] > 0
    (case,) = listed["tiny: profile"]()
    assert case.unmeasured == "unmeasured: there is no SNN"


@pytest.mark.slow
def test_memory_of_processes(trained):
    kept, left_alone = measure("memory", trained, cases=((16, True), (16, False)))
    assert left_alone.name == "1 x 16, malloc left alone"
    for case in (kept, left_alone):
        assert case.series["snn, peak"][0] >= case.series["snn, running"][0]
        assert case.series["ann, running"][0] >= case.series["ann, loaded"][0] > 10


@pytest.mark.slow
def test_compiling_fills_a_cache(trained):
    (case,) = measure("compile", trained, length=16)
    assert list(case.series) == ["empty cache", "filled cache"]
