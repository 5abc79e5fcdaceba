"""Score the original and the spiking model on the same items, and count the spikes.

python -m pipeline.evaluate model=minilm-l6 neuron=t10h5 evaluation=similarity
"""

from __future__ import annotations

import json
from dataclasses import asdict

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import paths
from pipeline.paths import Cell


def run(cfg: DictConfig) -> None:
    """Write evaluation.json and spikes.json below results/<model>/<neuron>/<evaluation>/."""
    cell = Cell.of(cfg)
    base = cell.need(cell.base_model, "fetch")
    adapter = cell.need(cell.adapter, "convert")
    data_root = paths.assets(cell.root)
    cell.need(data_root / cfg.evaluation.dataset.name, "fetch")

    import las
    from las.conversion import twin
    from las.evaluation.evaluate import evaluate
    from pipeline.loading import load_model, load_tokenizer
    from pipeline.neuron import spike_config

    ann = load_model(base, cfg)
    snn = las.load(twin(ann), adapter)
    suite = OmegaConf.to_container(cfg.evaluation, resolve=True)
    with las.count_spikes(snn) as spikes:
        scores = evaluate(ann, snn, load_tokenizer(base), suite, data_root)  # type: ignore[arg-type]
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
