"""One model converted in several ways from the same statistics, all timed in the same rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from benchmarks.models import load_original, random_tokens
from benchmarks.quiet import quiet
from benchmarks.records import SNN, Case, Comparison
from benchmarks.rounds import interleave, timed
from benchmarks.settings import Settings
from las import SpikeConfig
from las.calibration import Statistics, choose_thresholds
from las.conversion import apply, assemble, prepare
from las.fitting import fit_functions
from las.hosts.twin import twin


def sweep(
    settings: Settings,
    model: str,
    length: int,
    symbol: str,
    parameter: str,
    configs: Mapping[int, SpikeConfig],
) -> list[Case]:
    """Compare the forward passes of all conversions with the original's, and last with first.

    Arguments:
        settings: how to measure.
        model: name of the model.
        length: tokens of the one sequence.
        symbol: what the parameter is called in the table.
        parameter: what it is called in the data.
        configs: the conversions by the value of the parameter.

    Returns:
        A case for each value, and one that holds the last value against the first.
    """
    ann = load_original(settings, model)
    statistics = Statistics.load(settings.statistics(model))
    inputs = {"input_ids": random_tokens(ann, 1, length), "use_cache": False}

    def run(one: Any) -> Any:
        return timed(lambda: one(**inputs))

    variants = {"ann": run(ann)} | {
        str(value): run(_convert(ann, statistics, config)) for value, config in configs.items()
    }
    series = interleave(variants, settings, f"{symbol} = {', '.join(map(str, configs))}")
    cases = [
        Case(
            f"{symbol} = {value}",
            {"ann": series["ann"], "snn": series[str(value)]},
            (SNN,),
            parameters={parameter: value},
            tokens=length,
        )
        for value in configs
    ]
    first, *_, last = configs
    names = {value: f"{symbol} = {value}" for value in (first, last)}
    ends = {names[value]: series[str(value)] for value in (first, last)}
    comparison = Comparison(f"{names[last]} / {names[first]}", names[last], names[first])
    return [*cases, Case("last / first", ends, (comparison,), tokens=length)]


def _convert(ann: nn.Module, statistics: Statistics, config: SpikeConfig) -> nn.Module:
    with quiet():
        thresholds = choose_thresholds(statistics, config)
        functions = fit_functions(statistics, config)
    snn = prepare(twin(ann))
    return apply(snn, assemble(statistics, thresholds, functions, config))
