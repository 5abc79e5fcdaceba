"""Tiny models in the places where the benchmarks look for trained ones."""

from __future__ import annotations

import copy

import pytest

from benchmarks.records import COUNTING, SNN, Case, Record
from benchmarks.sections import ENCODER, LANGUAGE_MODEL
from benchmarks.settings import Settings
from las import SpikeConfig
from las.calibration import choose_thresholds, collect
from las.conversion import assemble, prepare, write_adapter
from las.fitting import fit_functions


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(
        models=tmp_path / "models",
        results=tmp_path / "results",
        output=tmp_path / "output",
        repeats=1,
        limit=1,
        threads=1,
    )


@pytest.fixture
def trained(settings, llama, bert, make_batches) -> Settings:
    """Settings whose directories hold two models, their statistics and their adapters."""
    config = SpikeConfig()
    for name, model in ((LANGUAGE_MODEL, llama), (ENCODER, bert)):
        copy.deepcopy(model).save_pretrained(settings.model(name))
        statistics = collect(prepare(model), make_batches())
        statistics.save(settings.statistics(name))
        thresholds = choose_thresholds(statistics, config)
        state = assemble(statistics, thresholds, fit_functions(statistics, config), config)
        write_adapter(settings.adapter(name), state)
    return settings


@pytest.fixture
def record() -> Record:
    """Three rounds of one case, and a case that could not be measured."""
    series = {"ann": [1.0, 2.0, 4.0], "snn": [1.5, 2.0, 5.0], "counting": [2.0, 4.0, 8.0]}
    environment = {
        "cpu": "some processor",
        "cores": 2,
        "simd": "AVX2",
        "gpu": None,
        "threads": 2,
        "python": "3.11",
        "torch": "2",
        "numba": "0",
        "numba_threading_layer": "omp",
        "transformers": "5",
        "malloc": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": None},
        "revision": None,
        "date": "2026-01-01T00:00:00+00:00",
        "load_average": [0.25, 0.0, 0.0],
        "load_average_before": None,
    }
    cases = [
        Case("1 x 512", series, (SNN, COUNTING), parameters={"length": 512}, tokens=512),
        Case("8 x 2048", unmeasured="unmeasured: no time"),
    ]
    return Record("forward", environment, cases)
