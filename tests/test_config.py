"""The options: what they may be, and the published grid uses the library's defaults."""

from __future__ import annotations

import json
from dataclasses import asdict
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
