"""Score the original and the spiking model on the same items, and count the spikes.

python -m pipeline.evaluate model=minilm-l6 neuron=t10h5 evaluation=similarity
python -m pipeline.evaluate model=pythia-12b neuron=none evaluation=zero_shot_full
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import apart, paths
from pipeline.paths import Cell
from pipeline.tracking import tracked_cell


def run(cfg: DictConfig) -> None:
    """Write evaluation.json and spikes.json below results/<model>/<neuron>/<evaluation>/.

    Without neurons the original is scored alone, and logged: the cell ends here.
    """
    cell = Cell.of(cfg)
    cell.need(cell.base_model, paths.model_stage(cfg))
    if paths.spiking(cfg):
        cell.need(cell.adapter, "convert")
    if cfg.evaluation.get("dataset"):
        cell.need(paths.assets(cell.root) / cfg.evaluation.dataset.name, "fetch")
    if cfg.evaluation.suite == apart.SUITE:
        apart.evaluate_apart(cfg)
    else:
        evaluate_here(cfg)


def evaluate_here(cfg: DictConfig) -> None:
    """Do it in this process."""
    import las
    from las.conversion import twin
    from las.evaluation.evaluate import evaluate
    from las.files.atomic import atomic_file
    from pipeline.loading import load_model, load_reader
    from pipeline.neuron import spike_config

    cell = Cell.of(cfg)
    base = cell.base_model
    ann = load_model(base, cfg)
    snn = las.load(twin(ann), cell.adapter) if paths.spiking(cfg) else None
    suite = OmegaConf.to_container(cfg.evaluation, resolve=True)
    reader, data_root = load_reader(base, cfg.model.kind), paths.assets(cell.root)
    with nullcontext() if snn is None else las.count_spikes(snn) as spikes:
        scores = evaluate(ann, snn, reader, suite, data_root)  # type: ignore[arg-type]
    result = {
        "model": {
            "name": cfg.model.name,
            "title": cfg.model.title,
            "row": cfg.model.get("row", cfg.model.title),
            "kind": cfg.model.kind,
        },
        "neuron": None if snn is None else asdict(spike_config(cfg)),
        "evaluation": cfg.evaluation.name,
        "scores": [score.to_dict() for score in scores],
        "seconds": {
            which: sum(score.extra.get(f"seconds_{which}", 0.0) for score in scores)
            for which in ("ann", "snn")
        },
    }
    with atomic_file(cell.scores) as file:
        file.write_text(json.dumps(result, indent=1) + "\n")
    if spikes is None:
        with tracked_cell(cfg, cell) as tracker:
            tracker.log_scores(result["scores"])
    else:
        with atomic_file(cell.spikes) as file:
            file.write_text(json.dumps(spikes.to_dict(), indent=1) + "\n")


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
