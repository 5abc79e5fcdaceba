"""The options: what they may be, and the published grid uses the library's defaults."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf

from las import SpikeConfig

CONF = Path(__file__).parents[1] / "conf"

GRID = OmegaConf.create(
    {"levels": 3, "margin": 1.5, "rounding": "floor", "budgets": {"exp": [0, 1]}}
)

SAME: list[tuple[str, Any, Any]] = [
    ("time_steps", np.int64(8), 8),
    ("time_steps", np.uint8(8), 8),
    ("time_steps", np.array(8), 8),
    ("time_steps", torch.tensor(8), 8),
    ("levels", GRID.levels, 3),
    ("levels", GRID._get_node("levels"), 3),
    ("bands", np.int32(1), 1),
    ("margin", np.float32(1.5), 1.5),
    ("margin", GRID._get_node("margin"), 1.5),
    ("margin", np.float64(4), 4.0),
    ("margin", 3, 3.0),
    ("margin", Fraction(3, 2), 1.5),
    ("rounding", np.str_("floor"), "floor"),
    ("rounding", GRID.rounding, "floor"),
    ("vision", np.array("analog"), "analog"),
    ("budget", np.float64(0.5), 0.5),
    ("budget", np.array(0.25), 0.25),
    ("budget", torch.tensor(0.5), 0.5),
    ("budget", 1, 1.0),
    ("budget", None, None),
    ("budgets", GRID.budgets, {"exp": (0.0, 1.0)}),
    ("budgets", {"exp": np.array([0.5, 0.25])}, {"exp": (0.5, 0.25)}),
    ("budgets", {np.str_("exp"): [np.float32(0.5), 1]}, {"exp": (0.5, 1.0)}),
]

WRONG: list[tuple[str, Any]] = [
    ("time_steps", "16"),
    ("time_steps", 16.0),
    ("time_steps", True),
    ("time_steps", np.bool_(True)),
    ("time_steps", None),
    ("time_steps", [16]),
    ("time_steps", np.arange(3)),
    ("time_steps", torch.ones(2)),
    ("time_steps", GRID),
    ("time_steps", 1 + 0j),
    ("time_steps", np.int64(33)),
    ("time_steps", 2**70),
    ("levels", float("nan")),
    ("levels", "five"),
    ("bands", False),
    ("bands", 9),
    ("bands", np.float32(2)),
    ("margin", "2"),
    ("margin", True),
    ("margin", None),
    ("margin", float("inf")),
    ("margin", float("nan")),
    ("margin", np.float32(0.5)),
    ("margin", (2.0,)),
    ("rounding", None),
    ("rounding", 1),
    ("rounding", ["nearest"]),
    ("rounding", "NEAREST"),
    ("threshold_rule", np.array(["error", "paper"])),
    ("vision", True),
    ("budgets", None),
    ("budgets", [("exp", 0.1)]),
    ("budgets", {"exp": 0.1}),
    ("budgets", {"exp": (0.1,)}),
    ("budgets", {"exp": "ab"}),
    ("budgets", {"exp": (0.1, "0.2")}),
    ("budgets", {"exp": (-0.1, 0.2)}),
    ("budgets", {"exp": (0.1, float("nan"))}),
    ("budgets", {"exp": (float("inf"), 0.1)}),
    ("budgets", {"exp": (float("-inf"), 0.1)}),
    ("budgets", {"exp": (0.1, -1e-9)}),
    ("budgets", {"exp": (0, 0.0)}),
    ("budgets", {"exp": (np.float32("nan"), 1)}),
    ("functions", "one"),
    ("functions", None),
    ("budget", 0),
    ("budget", 0.0),
    ("budget", -1e-3),
    ("budget", float("nan")),
    ("budget", float("inf")),
    ("budget", "4e-4"),
    ("budget", ""),
    ("budget", True),
    ("budget", False),
    ("budget", [1e-3]),
    ("budget", np.array([1e-3, 2e-3])),
]


def test_the_grids_default_neuron_is_the_librarys() -> None:
    default = yaml.safe_load((CONF / "neuron" / "default.yaml").read_text())
    ours = asdict(SpikeConfig())
    for name, value in default.items():
        if name in ours and value != "???":
            assert ours[name] == value, name


@pytest.mark.parametrize(("name", "given", "plain"), SAME)
def test_numbers_and_words_of_other_libraries_become_plain(
    name: str, given: Any, plain: Any
) -> None:
    config = SpikeConfig(**{name: given})
    assert config == SpikeConfig(**{name: plain})
    value = getattr(config, name)
    assert value == plain
    assert type(value) is type(plain)
    assert json.loads(json.dumps(asdict(config)))[name] == json.loads(json.dumps(plain))


@pytest.mark.parametrize(("name", "given"), WRONG)
def test_another_kind_is_an_error_of_one_line_that_names_the_option(name: str, given: Any) -> None:
    with pytest.raises(ValueError, match=name) as raised:
        SpikeConfig(**{name: given})
    message = str(raised.value)
    assert ", got " in message
    assert "\n" not in message
    assert len(message) < 200


def test_defaults_without_a_budget_are_those_of_the_paper_and_nearest() -> None:
    config = SpikeConfig()
    assert (config.time_steps, config.levels, config.bands) == (16, 5, 2)
    assert (config.rounding, config.budget) == ("nearest", None)
    assert config.function_steps == 16
    assert SpikeConfig(9).function_steps == 9


def test_defaults_with_a_budget_are_frugal() -> None:
    config = SpikeConfig(budget=4e-4)
    assert (config.time_steps, config.levels, config.bands) == (24, 16, 3)
    assert (config.rounding, config.threshold_rule) == ("signed", "error")
    assert config.function_steps == 16
    assert SpikeConfig(8, budget=4e-4).function_steps == 8
    assert SpikeConfig(levels=1, budget=4e-4).levels == 1


def test_a_config_is_the_same_when_all_of_it_is_given() -> None:
    for config in (SpikeConfig(), SpikeConfig(budget=4e-4), SpikeConfig(levels=3, budget=1)):
        assert SpikeConfig(**asdict(config)) == config
        assert replace(config) == config


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("rounding", "nearest"),
        ("rounding", "floor"),
        ("attention", "naive"),
    ],
)
def test_options_that_do_not_go_with_a_budget_are_named(name: str, given: Any) -> None:
    with pytest.raises(ValueError, match=rf"with a budget, {name} is .* got {given!r}"):
        SpikeConfig(**{name: given}, budget=1e-3)


@pytest.mark.parametrize("rule", ["percentile", "paper", "released"])
def test_rules_of_thresholds_do_not_go_with_a_budget(rule: Any) -> None:
    with pytest.raises(ValueError, match="threshold_rule"):
        SpikeConfig(threshold_rule=rule, budget=1e-3)
    with pytest.raises(ValueError, match="threshold_rule"):
        SpikeConfig(threshold_rule=rule, bands=2, budget=1e-3)


@pytest.mark.parametrize("name", ["frugal", "frugal-fine", "frugal-1pc", "frugal-h1", "frugal-h5"])
def test_the_grids_frugal_neurons_are_the_librarys(name: str) -> None:
    """But for H and the most time steps, which the name tells."""
    given = yaml.safe_load((CONF / "neuron" / f"{name}.yaml").read_text())
    assert given["name"] == name
    config = asdict(SpikeConfig(levels=given["levels"], budget=given["budget"]))
    for option in ("time_steps", "bands", "rounding"):
        assert given[option] == config[option]


def test_signed_neurons_need_no_budget() -> None:
    assert SpikeConfig(rounding="signed") == SpikeConfig(16, 5, 2, "signed")


def test_flat_functions_have_no_budgets() -> None:
    with pytest.raises(ValueError, match=r"functions 'flat'.*, got 1 budgets"):
        SpikeConfig(functions="flat", budgets={"exp": (0.1, 0.1)})
    with pytest.raises(ValueError, match="functions is 'hierarchical', got 'flat'"):
        SpikeConfig(functions="flat", budget=1e-3)
