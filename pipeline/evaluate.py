"""Score the original and the spiking model on the same items, and count the spikes.

python -m pipeline.evaluate model=minilm-l6 neuron=t10h5 evaluation=similarity
"""

from __future__ import annotations

import json
from dataclasses import asdict

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import apart, paths
from pipeline.paths import Cell


def run(cfg: DictConfig) -> None:
    """Write evaluation.json and spikes.json below results/<model>/<neuron>/<evaluation>/."""
    cell = Cell.of(cfg)
    cell.need(cell.base_model, paths.model_stage(cfg))
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
    from las.evaluation.evaluate import evaluate
    from pipeline.loading import load_model, load_reader
    from pipeline.neuron import spike_config

    cell = Cell.of(cfg)
    base = cell.base_model
    ann = load_model(base, cfg.model.kind)
    snn = las.load(load_model(base, cfg.model.kind), cell.adapter)
    suite = OmegaConf.to_container(cfg.evaluation, resolve=True)
    with las.count_spikes(snn) as spikes:
        reader = load_reader(base, cfg.model.kind)
        scores = evaluate(ann, snn, reader, suite, paths.assets(cell.root))  # type: ignore[arg-type]
    result = {
        "model": {"name": cfg.model.name, "title": cfg.model.title, "kind": cfg.model.kind},
        "neuron": asdict(spike_config(cfg)),
        "evaluation": cfg.evaluation.name,
        "scores": [score.to_dict() for score in scores],
        "seconds": {
            which: sum(score.extra.get(f"seconds_{which}", 0.0) for score in scores)
            for which in ("ann", "snn")
        },
    }
    with paths.written_whole(cell.scores) as file:
        file.write_text(json.dumps(result, indent=1) + "\n")
    with paths.written_whole(cell.spikes) as file:
        file.write_text(json.dumps(spikes.to_dict(), indent=1) + "\n")


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
