"""Models with the layers of OPT-6.7B and Llama-7B in bfloat16 on a GPU, eight layers of each.

It is to fit into three minutes of a card, and keeps what it has when a case fails.
"""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, OPTConfig, PretrainedConfig

import las
from benchmarks.apart import Measurement, apart
from benchmarks.models import random_model, random_tokens
from benchmarks.passes import compare_passes
from benchmarks.quiet import quiet
from benchmarks.records import COUNTING, SNN, Case, Comparison
from benchmarks.rounds import interleave, seconds, timed
from benchmarks.settings import Settings
from las.calibration import collect
from las.conversion import prepare
from las.hosts.twin import twin
from las.planning import machine

LAYERS = 8
CONFIGS: dict[str, PretrainedConfig] = {
    "OPT-6.7B-shaped": OPTConfig(
        hidden_size=4096,
        num_hidden_layers=LAYERS,
        num_attention_heads=32,
        ffn_dim=16384,
        word_embed_proj_dim=4096,
    ),
    "Llama-7B-shaped": LlamaConfig(num_hidden_layers=LAYERS),
}
"""The widths of these models; what is not named has them by default."""

DEEP: dict[str, PretrainedConfig] = {"Llama-7B-shaped, 32 layers": LlamaConfig()}
"""What is converted alone."""

SMALL = LlamaConfig(
    hidden_size=1024, intermediate_size=2816, num_hidden_layers=2, num_attention_heads=16
)
"""The model whose answers are compared."""

SHAPES = ((1, 512), (1, 2048), (8, 512))
WRITERS = (1, 16)
"""Texts that are written side by side."""
WRITTEN = 128

NEURONS = "neurons"
"""The case that `las.planning.speeds` reads."""

ANN = Comparison("ANN alone, for want of an SNN", "ann")

_SECONDS = 3.0
"""For the rounds of a case."""
_PATIENCE = 150.0
"""For a case with all that has to be made and compiled for it."""
_TOKENS = 512
"""Of a batch that models are calibrated and compared on."""
_BATCHES = 8
_DEAREST = 10
_PROFILE = "gpu_profile.txt"
_ROOM, _DEEP_ROOM = 12 * 2**30, 18 * 2**30
"""Bytes that weights, activations and logits need, of eight and of 32 layers."""


def measure(settings: Settings) -> Iterator[Case]:
    """Time passes, generation, conversion and calibration, take peaks of memory, and profile.

    The profile goes to `gpu_profile.txt` beside the record.
    """
    if not torch.cuda.is_available():
        yield Case("models of 7B", unmeasured="unmeasured: no GPU in this run")
        return
    (settings.output / _PROFILE).unlink(missing_ok=True)
    yield from apart(partial(listed, settings), settings.threads, _PATIENCE)


def listed(
    settings: Settings,
    failed: frozenset[str],
    configs: Mapping[str, PretrainedConfig] = CONFIGS,
    deep: Mapping[str, PretrainedConfig] = DEEP,
    small: PretrainedConfig = SMALL,
    shapes: Sequence[tuple[int, int]] = SHAPES,
    written: int = WRITTEN,
    device: str = "cuda",
) -> Iterator[Measurement]:
    """Name and measurement of each case; only the measurements touch the device.

    Arguments:
        settings: how to measure.
        failed: names of cases that failed in an earlier process.
        configs: the models, by name.
        deep: those of which only the conversion is timed.
        small: the one whose answers are compared.
        shapes: texts and tokens of a pass.
        written: tokens that are generated.
        device: where all this runs.
    """
    settings = replace(settings, limit=min(settings.limit, _SECONDS))
    yield NEURONS, partial(_neurons, device)
    yield "answers in bfloat16", partial(_answers, small, device)
    for name, config in configs.items():
        conversion = f"{name}: conversion"
        pair = Pair(config, device, conversion not in failed)
        for case, measured in _of_model(pair, settings, name, shapes, written):
            yield case, partial(_with_room, case, measured, _ROOM, device)
    for name, config in deep.items():
        case = f"{name}: conversion"
        pair = Pair(config, device, convertible=True)
        yield case, partial(_with_room, case, partial(_convert, pair, case), _DEEP_ROOM, device)


class Pair:
    """An original with random weights and, on the same parameters, its spiking model.

    Each is made when it is first asked for.

    Arguments:
        config: of the original.
        device: where it is.
        convertible: whether its conversion is worth a try.
    """

    def __init__(self, config: PretrainedConfig, device: str, convertible: bool) -> None:
        self.device = device
        self._config = config
        self._convertible = convertible
        self._snn: Any = None

    @cached_property
    def ann(self) -> Any:
        """The original, in bfloat16."""
        gc.collect()  # of what came before
        return random_model(self._config, self.device, torch.bfloat16)

    @property
    def snn(self) -> Any:
        """The spiking model; None where it could not be made."""
        if self._convertible and self._snn is None:
            with suppress(Exception):
                self.convert()
        return self._snn

    def convert(self) -> float:
        """Make the spiking model; return the seconds from the original that is there to its end.

        It is tried once.
        """
        self._convertible = False
        batch = {"input_ids": random_tokens(self.ann, 1, _TOKENS, seed=1)}
        self.finish()

        def run() -> None:
            with quiet():
                self._snn = las.convert(twin(self.ann), [batch])
            self.finish()

        return seconds(run)

    def finish(self) -> None:
        """Wait for the device."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def _of_model(
    pair: Pair, settings: Settings, name: str, shapes: Sequence[tuple[int, int]], written: int
) -> Iterator[Measurement]:
    """Name and measurement of each case of one model."""
    case = f"{name}: conversion"
    yield case, partial(_convert, pair, case)
    for shape in shapes:
        case = f"{name}: {shape[0]} x {shape[1]}"
        yield case, partial(_passes, pair, shape, settings, case)
        if pair.device == "cuda":
            case = f"{case}, peak memory"
            yield case, partial(_peaks, pair, shape, case)
    for texts in WRITERS:
        case = f"{name}: {texts} x {written} tokens written"
        yield case, partial(_writing, pair, texts, written, settings, case)
    case = f"{name}: calibration"
    yield case, partial(_calibration, pair, settings, case)
    case = f"{name}: profile"
    yield case, partial(_profile, pair, shapes[0], settings.output, case)


def _with_room(name: str, measured: Callable[[], list[Case]], room: int, device: str) -> list[Case]:
    """What is measured where a device is large enough, or a case that says that it is not."""
    if device == "cuda":
        _, size = torch.cuda.mem_get_info()
        if size < room:
            sizes = f"{size / 2**30:.0f} GiB of memory, and it needs {room / 2**30:.0f}"
            return [Case(name, unmeasured=f"unmeasured: this GPU has {sizes}")]
    return measured()


def _neurons(device: str) -> list[Case]:
    """Seconds for each neuron, of kernels that do nothing else."""
    config = las.SpikeConfig()
    found = machine.speed(config, torch.bfloat16, torch.device(device))
    assert found.oat is not None and found.hg is not None
    series = {"oat": [found.oat], "hg": [found.hg]}
    shown = (Comparison("an OAT neuron", "oat"), Comparison("an HG neuron", "hg"))
    parameters = {"time_steps": config.time_steps, "levels": config.levels}
    return [Case(NEURONS, series, shown, parameters=parameters)]


def _answers(config: PretrainedConfig, device: str) -> list[Case]:
    """How far the SNN's next-token distributions are from the ANN's, both in bfloat16.

    And how far those are from what the ANN computes in float32 from the same weights. The mean
    Kullback-Leibler divergence of each batch.
    """
    pair = Pair(config, device, convertible=True)
    pair.convert()
    single = copy.deepcopy(pair.ann).float()
    series: dict[str, list[float]] = {"snn": [], "ann": []}
    for seed in range(2, 2 + _BATCHES // 2):
        ids = random_tokens(single, 1, _TOKENS, seed)
        with torch.no_grad():
            exact, ann, snn = (
                model(input_ids=ids, use_cache=False).logits.double().log_softmax(-1)
                for model in (single, pair.ann, pair.snn)
            )
        series["snn"].append(_divergence(ann, snn))
        series["ann"].append(_divergence(exact, ann))
    shown = (Comparison("SNN from ANN / ANN from float32", "snn", "ann"),)
    return [Case("answers in bfloat16", series, shown, "nats")]


def _divergence(p: Tensor, q: Tensor) -> float:
    """The mean of KL(p || q), from logarithms."""
    return float((p.exp() * (p - q)).sum(-1).mean())


def _convert(pair: Pair, name: str) -> list[Case]:
    return [Case(name, {"seconds": [pair.convert()]}, (Comparison("seconds", "seconds"),))]


def _passes(pair: Pair, shape: tuple[int, int], settings: Settings, name: str) -> list[Case]:
    inputs = _inputs(pair, shape)
    tokens = shape[0] * shape[1]
    if pair.snn is None:

        def run() -> None:
            pair.ann(**inputs)
            pair.finish()

        series = interleave({"ann": timed(run)}, settings, name)
        return [Case(name, series, (ANN,), tokens=tokens)]
    series = compare_passes(pair.ann, pair.snn, inputs, settings, name, pair.finish)
    return [Case(name, series, (SNN, COUNTING), tokens=tokens)]


def _peaks(pair: Pair, shape: tuple[int, int], name: str) -> list[Case]:
    inputs = _inputs(pair, shape)
    peaks = {"ann": [_peak(pair.ann, inputs)]}
    if pair.snn is None:
        return [Case(name, peaks, (ANN,), "MiB")]
    peaks["snn"] = [_peak(pair.snn, inputs)]
    with las.count_spikes(pair.snn):
        peaks["counting"] = [_peak(pair.snn, inputs)]
    return [Case(name, peaks, (SNN, COUNTING), "MiB")]


def _peak(model: Any, inputs: Mapping[str, Any]) -> float:
    """MiB allocated at most during a pass, the weights included."""
    torch.cuda.reset_peak_memory_stats()
    with torch.no_grad():
        model(**inputs)
    return torch.cuda.max_memory_allocated() / 2**20


def _writing(pair: Pair, texts: int, count: int, settings: Settings, name: str) -> list[Case]:
    ids = random_tokens(pair.ann, texts, 16)

    def write(model: Any) -> None:
        model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=count,
            max_new_tokens=count,
        ).cpu()

    models = {"ann": pair.ann} if pair.snn is None else {"ann": pair.ann, "snn": pair.snn}
    variants = {which: timed(partial(write, model)) for which, model in models.items()}
    series = interleave(variants, settings, name, fewest=1)
    shown = (SNN if "snn" in models else ANN,)
    return [Case(name, series, shown, tokens=count * texts)]


def _calibration(pair: Pair, settings: Settings, name: str) -> list[Case]:
    """Passes over batches and `collect` over them, from the first one on.

    What comes before, the hash of all weights, is the CPU's work and does not grow with the
    batches; it is a figure of its own.
    """
    ann, prepared = pair.ann, prepare(twin(pair.ann))
    data = [{"input_ids": random_tokens(ann, 1, _TOKENS, seed)} for seed in range(_BATCHES)]

    def run() -> dict[str, float]:
        start = time.perf_counter()
        for batch in data:
            ann(**batch)
        pair.finish()
        return {"ann": time.perf_counter() - start}

    def calibrate() -> dict[str, float]:
        began: list[float] = []

        def batches() -> Iterator[Mapping[str, Tensor]]:
            began.append(time.perf_counter())
            yield from data

        start = time.perf_counter()
        with quiet():
            collect(prepared, batches())
        pair.finish()
        return {"hash": began[0] - start, "calibration": time.perf_counter() - began[0]}

    variants = {"ann": run, "calibration": calibrate}  # the conversion has warmed them up
    rounds = interleave(variants, settings, name, warm_up=False, fewest=1)
    series = {
        part: [one[part] for one in measured]
        for measured in rounds.values()
        for part in measured[0]
    }
    shown = (
        Comparison("calibration / ANN", "calibration", "ann"),
        Comparison("hash of the weights, once", "hash"),
    )
    return [Case(name, series, shown, tokens=_BATCHES * _TOKENS)]


def _profile(pair: Pair, shape: tuple[int, int], output: Path, name: str) -> list[Case]:
    """Write the dearest kernels of a pass of the spiking model."""
    if pair.snn is None:
        return [Case(name, unmeasured="unmeasured: there is no SNN")]
    inputs = _inputs(pair, shape)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if pair.device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.no_grad():
        pair.snn(**inputs)
        with torch.profiler.profile(activities=activities) as profile:
            pair.snn(**inputs)
            pair.finish()
    by = "self_cuda_time_total" if pair.device == "cuda" else "self_cpu_time_total"
    table = profile.key_averages().table(sort_by=by, row_limit=_DEAREST)
    output.mkdir(parents=True, exist_ok=True)
    with (output / _PROFILE).open("a") as file:
        file.write(f"{name}, {shape[0]} x {shape[1]}\n{table}\n")
    return []


def _inputs(pair: Pair, shape: tuple[int, int]) -> dict[str, Any]:
    return {"input_ids": random_tokens(pair.ann, *shape), "use_cache": False}
