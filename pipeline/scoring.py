"""One cell scored in this process. What the cells of a model share is loaded and computed once."""

from __future__ import annotations

import json
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from pipeline import neuron, paths
from pipeline.loading import model_and_reader
from pipeline.paths import Cell

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from las.evaluation.original import Original
    from las.evaluation.processes import Processes


def score(cfg: DictConfig, processes: Processes) -> None:
    """Write evaluation.json, timings.json and, with neurons, spikes.json of a cell.

    Of several processes the first one writes.
    """
    from hydra.utils import instantiate

    from las.energy.counting import count_spikes
    from las.files.atomic import atomic_file

    cell = Cell.of(cfg)
    suite = instantiate(suite_fields(cfg))  # first, so that a wrong field is known at once
    original, reader = _original(cfg, cell)
    snn = _spiking(cfg, cell, original.model) if paths.spiking(cfg) else None
    with nullcontext() if snn is None else count_spikes(snn) as spikes:
        scores = suite.score(original, snn, reader, paths.assets(cell.root), processes)
    counted = None if spikes is None else processes.total(spikes)
    if processes.rank > 0:
        return
    results = [score.to_dict() for score in scores]
    timings = [
        {
            "task": result["task"],
            "metric": result["metric"],
            **{name: result["extra"].pop(name) for name in _seconds(result)},
        }
        for result in results
    ]
    evaluation = {
        "model": described(cfg),
        "neuron": neuron.neuron_fields(cfg),
        "evaluation": cfg.evaluation.name,
        "scores": results,
    }
    written: dict[Path, Any] = {cell.scores: evaluation, cell.timings: timings}
    if counted is not None:
        of_scores = {one.metric: one.spikes.to_dict() for one in scores if one.spikes is not None}
        written[cell.spikes] = counted.to_dict() | ({"scores": of_scores} if of_scores else {})
    for path, content in written.items():
        with atomic_file(path) as file:
            file.write_text(json.dumps(content, indent=1) + "\n")


def _spiking(cfg: DictConfig, cell: Cell, original: PreTrainedModel) -> PreTrainedModel:
    """The spiking model of a cell."""
    from las import baselines
    from las.conversion.adapter import load
    from las.hosts.twin import twin

    from_files = baselines.load if neuron.is_baseline(cfg) else load
    return from_files(twin(original), cell.adapter)


def suite_fields(cfg: DictConfig) -> dict[str, Any]:
    """The fields of the suite, with its class; `name` and `dataset` are the pipeline's own."""
    fields: Any = OmegaConf.to_container(cfg.evaluation, resolve=True, throw_on_missing=True)
    return {name: fields[name] for name in fields if name not in ("name", "dataset")}


def described(cfg: DictConfig) -> dict[str, str]:
    """What is said of the model beside its scores."""
    return {
        "name": cfg.model.name,
        "title": cfg.model.title,
        "row": cfg.model.get("row", cfg.model.title),
        "kind": cfg.model.kind,
    }


def _seconds(result: dict[str, Any]) -> list[str]:
    return [name for name in result["extra"] if name.startswith("seconds_")]


def _original(cfg: DictConfig, cell: Cell) -> tuple[Original, Any]:
    """The original, which remembers its answers as long as model and suite stay the same."""
    model, reader = model_and_reader(cell.base_model, cfg)
    return _remembering(model, json.dumps(suite_fields(cfg), sort_keys=True)), reader


@lru_cache(maxsize=1)
def _remembering(model: PreTrainedModel, suite: str) -> Original:
    from las.evaluation.original import Original

    return Original(model)
