"""Models with the layers of OPT-6.7B and Llama-7B in bfloat16 on a GPU, eight layers of each.

It is to fit into three minutes of a card, and keeps what it has when a case fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, OPTConfig, PretrainedConfig

import las
from benchmarks.models import random_model, random_tokens
from benchmarks.passes import compare_passes
from benchmarks.quiet import quiet
from benchmarks.records import COUNTING, SNN, Case, Comparison
from benchmarks.rounds import interleave, timed
from benchmarks.settings import Settings
from las.calibration import collect
from las.conversion import prepare
from las.hosts.twin import twin

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

SHAPES = ((1, 512), (1, 2048), (8, 512))
WRITERS = (1, 16)
"""Texts that are written side by side."""
WRITTEN = 128

_SECONDS = 3.0
"""For the rounds of a case."""
_CALIBRATION_TOKENS = 512
_DEAREST = 10
_PROFILE = "gpu_profile.txt"
_ROOM = 24 * 2**30
"""Bytes that weights, activations and logits need."""


def measure(
    settings: Settings,
    configs: Mapping[str, PretrainedConfig] = CONFIGS,
    shapes: Sequence[tuple[int, int]] = SHAPES,
    written: int = WRITTEN,
    device: str = "cuda",
) -> list[Case]:
    """Time passes, generation and calibration, take peaks of memory, and profile.

    The profile goes to `gpu_profile.txt` beside the record.
    """
    if device == "cuda":
        if not torch.cuda.is_available():
            return [Case("models of 7B", unmeasured="unmeasured: no GPU in this run")]
        free, _ = torch.cuda.mem_get_info()
        if free < _ROOM:
            reason = f"unmeasured: {free / 2**30:.0f} GiB of GPU memory are free, it needs 24"
            return [Case("models of 7B", unmeasured=reason)]
    settings = replace(settings, limit=min(settings.limit, _SECONDS))
    cases: list[Case] = []
    (settings.output / _PROFILE).unlink(missing_ok=True)
    for name, config in configs.items():
        for case, measured in _cases(settings, name, config, shapes, written, device):
            cases += kept(case, measured)
    return cases


def kept(name: str, measured: Callable[[], list[Case]]) -> list[Case]:
    """What is measured, or why it could not be."""
    try:
        return measured()
    except Exception as error:  # whatever it is, the other cases are worth their time
        return [Case(name, unmeasured=f"failed: {type(error).__name__}: {str(error)[:200]}")]


def make_models(config: PretrainedConfig, device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """A model with random weights and its spiking one, on the same parameters."""
    ann = random_model(config, device, dtype)
    batch = {"input_ids": random_tokens(ann, 1, _CALIBRATION_TOKENS, seed=1)}
    with quiet():
        return ann, las.convert(twin(ann), [batch])


def _cases(
    settings: Settings,
    name: str,
    config: PretrainedConfig,
    shapes: Sequence[tuple[int, int]],
    written: int,
    device: str,
) -> Iterator[tuple[str, Callable[[], list[Case]]]]:
    """Name and measurement of each case of one model."""
    models: list[Any] = []

    def convert() -> list[Case]:
        seconds = timed(lambda: models.extend(make_models(config, device, torch.bfloat16)))()
        series = {"seconds": [seconds]}
        shown = (Comparison("seconds", "seconds"),)
        return [Case(f"{name}: conversion", series, shown)]

    yield f"{name}: conversion", convert
    if not models:
        return
    ann, snn = models
    for batch, length in shapes:
        case = f"{name}: {batch} x {length}"
        ids = random_tokens(ann, batch, length)
        yield case, lambda case=case, ids=ids: _passes(ann, snn, ids, settings, case, device)
    for batch in WRITERS:
        case = f"{name}: {batch} x {written} tokens written"
        ids = random_tokens(ann, batch, 16)
        yield case, lambda case=case, ids=ids: _writing(ann, snn, ids, written, settings, case)
    case = f"{name}: calibration"
    yield case, lambda: _calibration(ann, settings, case, device)
    case = f"{name}: profile"
    yield case, lambda: _profile(snn, random_tokens(ann, *shapes[0]), settings.output, name)


def _passes(
    ann: Any, snn: Any, ids: Tensor, settings: Settings, name: str, device: str
) -> list[Case]:
    inputs = {"input_ids": ids, "use_cache": False}
    series = compare_passes(ann, snn, inputs, settings, name, _finish(device))
    cases = [Case(name, series, (SNN, COUNTING), tokens=ids.numel())]
    if device == "cuda":
        with torch.no_grad():
            peaks = {which: [_peak(model, inputs)] for which, model in (("ann", ann), ("snn", snn))}
        cases.append(Case(f"{name}, peak memory", peaks, (SNN,), "MiB"))
    return cases


def _writing(
    ann: Any, snn: Any, ids: Tensor, count: int, settings: Settings, name: str
) -> list[Case]:
    def write(model: Any) -> None:
        model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=count,
            max_new_tokens=count,
        ).cpu()

    variants = {"ann": timed(lambda: write(ann)), "snn": timed(lambda: write(snn))}
    series = interleave(variants, settings, name, fewest=1)
    return [Case(name, series, (SNN,), tokens=count * len(ids))]


def _calibration(ann: Any, settings: Settings, name: str, device: str) -> list[Case]:
    prepared = prepare(twin(ann))
    batch = {"input_ids": random_tokens(ann, 1, _CALIBRATION_TOKENS, seed=2)}

    def run(pass_: Callable[[], object]) -> None:
        pass_()
        _finish(device)()

    def calibrate() -> None:
        with quiet():
            collect(prepared, [batch])

    variants = {
        "ann": timed(lambda: run(lambda: ann(**batch))),
        "calibration": timed(lambda: run(calibrate)),
    }
    series = interleave(variants, settings, name, fewest=1)
    shown = (Comparison("calibration / ANN", "calibration", "ann"),)
    return [Case(name, series, shown, tokens=_CALIBRATION_TOKENS)]


def _profile(snn: Any, ids: Tensor, output: Path, name: str) -> list[Case]:
    """Write the dearest kernels of a pass of the spiking model."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.no_grad(), torch.profiler.profile(activities=activities) as profile:
        snn(input_ids=ids, use_cache=False)
    by = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
    table = profile.key_averages().table(sort_by=by, row_limit=_DEAREST)
    output.mkdir(parents=True, exist_ok=True)
    with (output / _PROFILE).open("a") as file:
        file.write(f"{name}, {ids.shape[0]} x {ids.shape[1]}\n{table}\n")
    return []


def _finish(device: str) -> Callable[[], object]:
    """What waits for a device."""
    return torch.cuda.synchronize if device == "cuda" else lambda: None


def _peak(model: Any, inputs: Mapping[str, Any]) -> float:
    """MiB allocated at most during a pass, the weights included."""
    torch.cuda.reset_peak_memory_stats()
    model(**inputs)
    return torch.cuda.max_memory_allocated() / 2**20
