"""Record who fires when while the step simulator reads a held-out text, for the report to draw.

python -m pipeline.spikes model=gpt2-wiki neuron=t16h5
python -m pipeline.spikes model=opt-wiki 'spikes.sites=[model.decoder.layers.0.fc2]'
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from pipeline import paths
from pipeline.loading import model_and_reader
from pipeline.paths import Cell
from pipeline.recorded import recorded_spikes


def run(cfg: DictConfig) -> None:
    """Write results/spikes/<model>-<neuron>.npz."""
    cell = Cell.of(cfg)
    base = cell.need(cell.base_model, paths.model_stage(cfg))
    adapter = cell.need(cell.adapter, "convert")
    data = cell.need(paths.assets(cell.root) / cfg.spikes.dataset.name, "fetch")

    from las.conversion.adapter import load
    from las.data.wikipedia import articles
    from las.hosts.twin import twin
    from las.spikes import passage_events

    model, tokenizer = model_and_reader(base, cfg)
    article = next(articles(data.parent / cfg.spikes.dump, "held-out"))
    events = passage_events(
        load(twin(model), adapter),
        tokenizer,
        article.text,
        list(cfg.spikes.sites),
        tokens=cfg.spikes.tokens,
        model_title=cfg.model.title,
        text_title=f'the beginning of "{article.title}", {cfg.spikes.title}',
    )
    print(events.save(recorded_spikes(cell.root) / f"{cell.model}-{cell.neuron}.npz"))


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
