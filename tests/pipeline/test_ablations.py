"""What is taken out of the method, as configs and as sweeps."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from las.config import SpikeConfig
from las.fitting import FUNCTIONS
from pipeline import paths
from pipeline.neuron import spike_config

CONF = Path(paths.CONF)
NAMES = sorted(path.stem for path in (CONF / "ablation").glob("*.yaml") if path.stem != "bands")
IN_GRIDS = sorted(
    path.stem
    for path in (CONF / "neuron").glob("*.yaml")
    if path.stem.removeprefix("t16h5-") in NAMES
)
CHANGED = {
    "one-band": {"bands"},
    "naive-attention": {"attention"},
    "percentile": {"threshold_rule"},
    "paper-rule": {"threshold_rule"},
    "released-constants": {"threshold_rule", "rounding"},
    "floor": {"rounding"},
    "flat-functions": {"functions"},
    "coarse-functions": {"budgets"},
}


def changed(config: SpikeConfig, neuron: SpikeConfig) -> set[str]:
    one, other = asdict(config), asdict(neuron)
    return {name for name in one if one[name] != other[name]}


def swept(experiment: str) -> list[dict[str, str]]:
    """The overrides of each cell of a sweep."""
    params = OmegaConf.load(CONF / "experiment" / f"{experiment}.yaml").hydra.sweeper.params
    choices = [[(name, choice) for choice in chosen(values)] for name, values in params.items()]
    return [dict(cell) for cell in product(*choices)]


def chosen(values: str) -> list[str]:
    """What a sweep goes over: names, or "range(first, end)"."""
    if values.startswith("range("):
        return [str(n) for n in range(*map(int, values[6:-1].split(",")))]
    return values.split(",")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("neuron", ["t16h5", "t10h5"])
def test_an_ablation_changes_one_thing_of_any_neuron(composed, name: str, neuron: str) -> None:
    cfg = composed(f"neuron={neuron}", f"ablation={name}")
    assert cfg.neuron.name == f"{neuron}-{name}"
    plain = spike_config(composed(f"neuron={neuron}"))
    assert changed(spike_config(cfg), plain) == CHANGED[name]


@pytest.mark.parametrize("name", IN_GRIDS)
def test_in_a_grid_it_is_a_neuron_with_the_same_name(composed, name: str) -> None:
    ablation = name.removeprefix("t16h5-")
    assert composed(f"neuron={name}").neuron == composed(f"ablation={ablation}").neuron


def test_all_functions_are_fitted_worse(composed) -> None:
    budgets = spike_config(composed("ablation=coarse-functions")).budgets
    assert set(budgets) == set(FUNCTIONS)
    for name, (_, relative) in budgets.items():
        assert relative > 100 * FUNCTIONS[name].budget.relative


def test_the_experiment_runs_all_of_them_on_three_kinds_of_models(composed) -> None:
    cells = swept("ablation")
    assert {cell["ablation"] for cell in cells} == set(NAMES)
    kinds = {composed(f"model={cell['model']}").model.kind for cell in cells}
    assert kinds == {"causal_lm", "encoder", "vision_language"}


def test_bands_from_one_to_eight(composed) -> None:
    cells = [cell for cell in swept("ablation_bands") if cell["neuron"] == "t10h5"]
    assert {cell["neuron.bands"] for cell in cells} == {str(n) for n in range(1, 9)}
    cfg = composed("experiment=ablation_bands", "neuron=t10h5", "neuron.bands=3")
    assert cfg.neuron.name == "t10h5-3-bands"
    assert spike_config(cfg).bands == 3


@pytest.mark.parametrize(
    ("experiment", "option", "values"),
    [("sweep_time_steps", "time_steps", range(4, 17)), ("sweep_levels", "levels", range(1, 17))],
)
def test_sweeps_go_over_every_model_of_the_grid(composed, experiment, option, values) -> None:
    """Each with the evaluation of its kind; cells that the grid has too have its names."""
    cells = swept(experiment)
    models = OmegaConf.load(paths.ROOT / "params.yaml").models
    assert {cell["model"] for cell in cells} == set(models)
    for model in models:
        of_model = [cell for cell in cells if cell["model"] == model]
        assert [int(cell[f"neuron.{option}"]) for cell in of_model] == list(values)
        overrides = [f"{name}={value}" for name, value in of_model[-1].items()]
        cfg = composed(f"experiment={experiment}", *overrides)
        assert cfg.neuron.name in ("t16h5", "t16h16")
        assert cfg.evaluation.name in models[model].suites
