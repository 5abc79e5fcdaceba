"""The options: the published grid uses the library's defaults."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import yaml

from las import SpikeConfig

CONF = Path(__file__).parents[1] / "conf"


def test_the_grids_default_neuron_is_the_librarys() -> None:
    default = yaml.safe_load((CONF / "neuron" / "default.yaml").read_text())
    ours = asdict(SpikeConfig())
    for name, value in default.items():
        if name in ours and value != "???":
            assert ours[name] == value, name
