"""Choose thresholds, fit the non-linear functions, put both into an adapter, and prove it.

python -m pipeline.convert model=minilm-l6 neuron=t10h5
python -m pipeline.convert -m model=minilm-l6 neuron=t10h5,t8h5
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import paths, tuning
from pipeline.calibration import batches, described, described_in_full
from pipeline.loading import model_and_reader
from pipeline.neuron import is_baseline, is_tuned, spike_config
from pipeline.paths import Cell
from pipeline.records import Record, code_of, content_digest


def run(cfg: DictConfig) -> None:
    """Write data/spiking/<model>/neurons/<neuron>/, unless it is there as it would be made."""
    cell = Cell.of(cfg)
    if is_baseline(cfg):
        _run_baseline(cfg, cell)
        return
    statistics = cell.need(cell.statistics, "collect")
    sample = cell.need(cell.sample, "collect")
    base = cell.need(cell.base_model, paths.model_stage(cfg))
    config: dict[str, object] = {"neuron": OmegaConf.to_container(cfg.neuron, resolve=True)}
    inputs = [base, statistics, sample]
    if cfg.neuron.budget is not None:  # which is spent by what errors cost on this data
        config["calibration"] = described(cfg)
        inputs.append(cell.need(paths.assets(cell.root) / cfg.calibration.dataset.name, "fetch"))
    record = Record.of(
        [cell.thresholds, cell.functions, cell.adapter],
        config=config,
        inputs=inputs,
        code=code_of("convert"),
    )
    if record.holds():
        print(f"{cell.spiking_model}: made already")
        return
    _convert(cfg, cell)
    record.keep()


def _run_baseline(cfg: DictConfig, cell: Cell) -> None:
    """The same for a published conversion, which is calibrated at once and proves nothing."""
    neuron, tuned = cfg.neuron, is_tuned(cfg)
    data = paths.assets(cell.root) / cfg.calibration.dataset.name
    if tuned:
        data = tuning.data(cfg, cell.root)
    record = Record.of(
        [cell.adapter],
        config={
            "neuron": OmegaConf.to_container(neuron, resolve=True),
            "calibration": described(cfg),
        },
        inputs=[cell.need(cell.base_model, paths.model_stage(cfg)), cell.need(data, "fetch")],
        code=code_of("convert"),
    )
    if record.holds():
        print(f"{cell.spiking_model}: made already")
        return
    from las import baselines
    from las.files.atomic import atomic_directory
    from las.hosts.twin import twin

    model, reader = model_and_reader(cell.base_model, cfg)
    snn, told = twin(model), {"method": neuron.method, "time_steps": neuron.time_steps}
    if tuned:
        read = tuning.labelled_batches(cfg, reader)
        baseline = baselines.fine_tune(snn, read, **told, **neuron.tuning)
    else:
        per = baselines.METHODS[neuron.method].per
        observed = _observed(model, reader, per, described_in_full(cfg))
        baseline = baselines.convert(snn, observed, **told)
    with atomic_directory(cell.adapter) as folder:
        baselines.save(baseline, folder, model if tuned else None)
    left = ", ".join(f"{kind} ({n})" for kind, n in baselines.left_float(baseline).items())
    print(f"{cell.spiking_model}\nleft float: {left}")
    record.keep()


@lru_cache(maxsize=2)
def _observed(model: Any, reader: Any, per: Any, calibration: str) -> Any:
    """What the layers of a model read; all methods in a row with such thresholds share it."""
    from las import baselines

    cfg: Any = OmegaConf.create(calibration)
    return baselines.observe(model, batches(cfg, reader), per)


@lru_cache(maxsize=1)
def _weighed(
    model: Any, reader: Any, statistics: Any, content: str, calibration: str, vision: Any
) -> Any:
    """What errors cost a model; all budgets in a row share it."""
    from las.calibration.statistics import Statistics
    from las.conversion.frugal import weigh
    from las.conversion.prepare import prepare
    from las.hosts.twin import twin

    cfg: Any = OmegaConf.create(calibration)
    spiking = prepare(twin(model), vision)
    return weigh(spiking, Statistics.load(statistics), batches(cfg, reader))


@lru_cache(maxsize=1)
def _prepared(model: Any, sample: Any, content: str, vision: Any) -> Any:
    """A prepared model and the proof of it; all neurons in a row are applied to the same one."""
    from las.calibration.sample import load_sample
    from las.conversion.convert import prepare_proved
    from las.hosts.twin import twin

    spiking = twin(model)
    return spiking, prepare_proved(spiking, load_sample(sample), vision)


def _convert(cfg: DictConfig, cell: Cell) -> None:
    config = spike_config(cfg)

    from las.calibration.statistics import Statistics
    from las.conversion.adapter import write_adapter
    from las.conversion.choose import choose_neurons
    from las.files.atomic import atomic_directory, atomic_file
    from las.fitting.model_functions import fit_functions

    statistics = Statistics.load(cell.statistics)
    functions = fit_functions(statistics, config)
    with atomic_file(cell.functions) as file:
        functions.save(file)
    model, reader = model_and_reader(cell.base_model, cfg)
    weighed = None
    if config.budget is not None:
        calibration = described_in_full(cfg)
        content = content_digest(cell.statistics)
        weighed = _weighed(model, reader, cell.statistics, content, calibration, config.vision)
    content = content_digest(cell.sample)
    spiking, proof = _prepared(model, cell.sample, content, config.vision)
    adapter = choose_neurons(spiking, statistics, functions, weighed, config)
    adapter = replace(adapter, report=proof.report(spiking))
    with atomic_file(cell.thresholds) as file:
        adapter.thresholds.save(file)
    spent = "" if adapter.spent is None else f"\n{adapter.spent}"
    print(f"{cell.spiking_model}\n{adapter.report}{spent}")
    with atomic_directory(cell.adapter) as folder:
        write_adapter(folder, adapter)


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
