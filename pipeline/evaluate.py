"""Score the original and the spiking model on the same items; count spikes, estimate energy.

python -m pipeline.evaluate model=minilm-l6 neuron=t10h5 evaluation=similarity
python -m pipeline.evaluate -m model=minilm-l6 neuron=t10h5,t8h5 evaluation=similarity
python -m pipeline.evaluate model=pythia-12b neuron=none evaluation=zero_shot_full
accelerate launch --num_processes 2 -m pipeline.evaluate evaluation=zero_shot
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import paths, scoring, vlmeval_process
from pipeline.neuron import is_baseline
from pipeline.paths import Cell
from pipeline.records import Record, code_of
from pipeline.tracking import tracked_cell

if TYPE_CHECKING:
    from las.evaluation.processes import Processes

ESTIMATE = (
    "src/las/energy/cost_model.py",
    "src/las/energy/estimate.py",
    "src/las/energy/report.py",
)
"""The code by which energy follows from the spikes; without it, spikes and scores stay."""


def run(cfg: DictConfig) -> None:
    """Write results/<model>/<neuron>/<evaluation>/, unless it is there as it would be made.

    Without neurons the original is scored alone: there are no spikes and no energy. Under
    `accelerate launch` every process runs this; the first one writes and tracks.
    """
    from las.evaluation.processes import Processes

    processes = Processes.launched()
    with processes.in_step():
        cell = Cell.of(cfg)
        scored = _scored(cfg, cell)
        holds = processes.first(scored.holds)
        if not holds:
            _score(cfg, processes)
        if processes.rank == 0:
            _finish(cfg, cell, scored, holds)


def _score(cfg: DictConfig, processes: Processes) -> None:
    from hydra.utils import get_class

    suite: Any = get_class(cfg.evaluation["_target_"])
    suite.check_shared(processes)
    if cfg.evaluation["_target_"] == vlmeval_process.SUITE:
        vlmeval_process.score(cfg)
    else:
        scoring.score(cfg, processes)


def _finish(cfg: DictConfig, cell: Cell, scored: Record, holds: bool) -> None:
    """Keep the record of what was scored, unless it holds, estimate energy, and track."""
    if not holds:
        scored.keep()
    if paths.spiking(cfg):
        estimated = _estimated(cell)
        if not estimated.holds():
            holds = False
            _estimate(cell)
            estimated.keep()
    if holds:
        print(f"{cell.results}: made already")
    else:
        _track(cfg, cell)


def _scored(cfg: DictConfig, cell: Cell) -> Record:
    """The record of scores and spikes; what they need is there."""
    inputs = [cell.need(cell.base_model, paths.model_stage(cfg))]
    outputs = [cell.scores]
    if paths.spiking(cfg):
        inputs.append(cell.need(cell.adapter, "convert"))
        outputs.append(cell.spikes)
    if cfg.evaluation.get("dataset"):  # otherwise the suite brings its own data
        data = paths.assets(cell.root) / cfg.evaluation.dataset.name
        inputs.append(cell.need(data, "fetch"))
    config = {
        "model": scoring.described(cfg),
        "neuron": OmegaConf.to_container(cfg.neuron, resolve=True),
        "suite": scoring.suite_fields(cfg),
        "evaluation": cfg.evaluation.name,
        "loading": paths.how_loaded(cfg),
    }
    code = [path for path in code_of("evaluate") if path not in ESTIMATE]
    return Record.of(outputs, config=config, inputs=inputs, code=code)


def _estimated(cell: Cell) -> Record:
    """The record of the energy by Eq. 25; other accounts are the report's."""
    return Record.of([cell.energy], config={}, inputs=[cell.spikes], code=ESTIMATE)


def _estimate(cell: Cell) -> None:
    from las.energy.estimate import estimate
    from las.files.atomic import atomic_file
    from las.neurons.tally import SpikeTally

    spikes = SpikeTally.from_dict(json.loads(cell.spikes.read_text()))
    report = estimate(spikes)
    with atomic_file(cell.energy) as file:
        file.write_text(json.dumps(report.to_dict(), indent=1) + "\n")


def _track(cfg: DictConfig, cell: Cell) -> None:
    from las.conversion.adapter import read_adapter
    from las.energy.report import EnergyReport
    from las.neurons.tally import SpikeTally

    with tracked_cell(cfg, cell) as tracker:
        tracker.log_scores(json.loads(cell.scores.read_text())["scores"])
        if paths.spiking(cfg):
            if not is_baseline(cfg) and (report := read_adapter(cell.adapter).report) is not None:
                tracker.log_proof(report)
            tracker.log_spikes(SpikeTally.from_dict(json.loads(cell.spikes.read_text())))
            tracker.log_energy(EnergyReport.from_dict(json.loads(cell.energy.read_text())))


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
