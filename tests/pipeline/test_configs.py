from __future__ import annotations

from fnmatch import fnmatch
from importlib import resources
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from las.baselines import METHODS
from las.data.glue import GLUE
from las.energy import HARDWARE, described
from las.evaluation.suites.suite import Suite
from las.hosts.loading import MODEL_CLASSES
from las.reporting.paper.cited_rows import cited_table
from pipeline import paths
from pipeline.fetch import asset_of
from pipeline.neuron import neuron_fields, spike_config
from pipeline.scoring import suite_fields

CONF = Path(paths.CONF)


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


ABLATED = [f"t16h5-{name}" for name in names("ablation")]
BASELINES = [f"{name}-t{steps}" for name in METHODS for steps in (4, 8, 16, 32)]
TUNED = [f"{name}-tuned-t16" for name in ("qcfs", "fas", "spikezip-tf")]
NEURONS = [
    name
    for name in names("neuron")
    if name not in ("default", "none", *ABLATED, *BASELINES, *TUNED)
]


@pytest.mark.parametrize("name", names("model"))
def test_every_model_can_be_had_and_calibrated(composed, name):
    cfg = composed(f"model={name}")
    assert cfg.model.name == name
    asset = asset_of(cfg.model.pretraining.dataset if paths.trained_here(cfg) else cfg.model)
    assert asset.wheel or asset.hub
    assert cfg.model.kind in MODEL_CLASSES
    if paths.spiking(cfg):
        forms = {"causal_lm": "windows", "vision_language": "questions"}
        assert cfg.calibration.form == forms.get(cfg.model.kind, "texts")
    OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


@pytest.mark.parametrize("name", names("model"))
def test_a_model_in_half_precision_is_shared_out(composed, name):
    cfg = composed(f"model={name}")
    half = cfg.model.get("dtype", "float32") != "float32"
    assert (cfg.placement.device_map == "auto") == half


@pytest.mark.parametrize("name", names("model"))
def test_no_pickled_weights_are_asked_for(composed, name):
    files = ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "tf_model.h5", "model.py"]
    for folder in asset_of(composed(f"model={name}").model).hub:
        for file in files:
            assert not any(fnmatch(file, pattern) for pattern in folder.patterns)


def test_every_model_of_the_paper_has_a_config(composed):
    """Every original that was converted, and all that Table 1 compares with."""
    rows = {composed(f"model={name}").model.get("row") for name in names("model")}
    for path in (resources.files("las.reporting") / "cited").iterdir():
        table = cited_table(int(path.name.removeprefix("table").removesuffix(".json")))
        models = [row[0] for row in table.rows]
        wanted = {name[5:-1] for name in models if name.startswith("LAS (")}
        assert wanted <= rows, path.name
    originals = {row[0] for row in cited_table(1).rows if row[1] == "✗"}
    assert originals <= rows


def test_every_task_of_table_3_has_a_checkpoint(composed):
    made = [composed(f"model={name}").model for name in names("model")]
    assert {model.glue.task for model in made if model.get("row") == "BERT"} == set(GLUE)


def test_what_is_compared_with_is_not_converted(composed):
    converted = {name[5:-1] for name, *_ in cited_table(1).rows if name.startswith("LAS (")}
    originals = {row[0] for row in cited_table(1).rows if row[1] == "✗"}
    for name in names("model"):
        cfg = composed(f"model={name}")
        if cfg.model.get("row") in originals:
            assert paths.spiking(cfg) == (cfg.model.row in converted)


@pytest.mark.parametrize("name", names("dataset"))
def test_every_data_set_says_what_it_needs_and_where_it_is(composed, name):
    asset = asset_of(composed(f"+dataset={name}").dataset)
    assert asset.name == name
    assert asset.needs
    assert asset.wheel or asset.hub or name == "enwik8"  # which the hub has as an archive only


@pytest.mark.parametrize("name", NEURONS)
def test_every_neuron_is_a_valid_spike_config(composed, name):
    cfg = composed(f"neuron={name}")
    assert cfg.neuron.name == name
    config = spike_config(cfg)
    vision = "-analog-vision" if config.vision == "analog" else ""
    usual = f"t{config.time_steps}h{config.levels}{vision}"
    per_cent = {1e-4: "-fine", 3e-3: "-1pc"}.get(config.budget or 0, "")
    levels = "" if config.levels == 16 else f"-h{config.levels}"
    frugal, released = f"frugal{per_cent}{levels}", f"released-h{config.levels}"
    frugal = frugal if config.time_steps == 24 else f"frugal-{usual}"
    expected = usual if config.budget is None else frugal
    assert name == (expected if config.threshold_rule == "error" else released)


@pytest.mark.parametrize("name", names("evaluation"))
def test_every_evaluation_names_its_data(composed, name):
    cfg = composed(f"evaluation={name}", "model=minilm-sst2")
    assert cfg.evaluation.name == name
    if name != "vlmeval_paper":  # VLMEvalKit fetches its own
        assert asset_of(cfg.evaluation.dataset).needs


@pytest.mark.parametrize("name", names("evaluation"))
def test_every_evaluation_is_a_suite(composed, name):
    suite = instantiate(suite_fields(composed(f"evaluation={name}", "model=minilm-sst2")))
    assert isinstance(suite, Suite)
    hash(suite)  # none of its fields can be changed


@pytest.mark.parametrize(
    "group", ["calibration", "source", "tracking", "energy", "placement", "spikes"]
)
def test_every_other_config_composes(composed, group):
    for name in names(group):
        overrides = [f"{group}={name}"]
        if name == "directory":
            overrides.append("source.directory=/data")
        OmegaConf.to_container(composed(*overrides), resolve=True, throw_on_missing=True)


@pytest.mark.parametrize("name", names("energy"))
def test_every_hardware_is_described_as_its_config_says(composed, name):
    fields = OmegaConf.to_container(composed(f"energy={name}").energy, resolve=True)
    assert described(fields) == HARDWARE[name]
    assert {*names("energy")} == {*HARDWARE}


def test_a_field_of_the_hardware_on_the_command_line(composed):
    fields = OmegaConf.to_container(composed("energy.batch=1").energy, resolve=True)
    assert described(fields).batch == 1


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_composes_and_says_how_to_run_it(composed, name):
    composed(f"experiment={name}")
    second = (CONF / "experiment" / f"{name}.yaml").read_text().splitlines()[1]
    assert second == f"# python -m pipeline.cell -m experiment={name}"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_one_sweep_makes_a_table(composed, number):
    experiment = OmegaConf.load(CONF / "experiment" / f"table{number}.yaml")
    swept = experiment.hydra.sweeper.params.model.split(",")
    assert set(swept) <= set(names("model"))
    rows = {row[0] for row in cited_table(number).rows}
    made = {composed(f"model={name}").model.row for name in swept}
    assert {name[5:-1] for name in rows if name.startswith("LAS (")} <= made <= rows


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


@pytest.mark.parametrize("name", BASELINES)
def test_every_published_conversion_has_a_config(composed, name):
    cfg = composed(f"neuron={name}")
    assert (cfg.neuron.name, f"{cfg.neuron.method}-t{cfg.neuron.time_steps}") == (name, name)
    told = {"method": cfg.neuron.method, "time_steps": cfg.neuron.time_steps}
    assert neuron_fields(cfg) == told
    with pytest.raises(ValueError, match="is the published method"):
        spike_config(cfg)


@pytest.mark.parametrize("name", TUNED)
def test_a_fine_tuned_conversion_differs_in_its_tuning_only(composed, name):
    cfg, untuned = composed(f"neuron={name}"), composed(f"neuron={name.replace('-tuned', '')}")
    assert (cfg.neuron.name, "tuning" in untuned.neuron) == (name, False)
    steps = cfg.neuron.tuning.steps
    assert neuron_fields(cfg) == neuron_fields(untuned) | {"tuning_steps": steps}


def test_a_neuron_can_be_made_up_on_the_command_line(composed):
    cfg = composed("neuron=t16h5", "neuron.time_steps=9", "neuron.name=t9h5")
    assert spike_config(cfg).time_steps == 9
