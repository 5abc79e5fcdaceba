"""The raster of one layer: its data, its picture, and what is wrong with a call."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

import las
from las.errors import MissingExtraError
from las.reporting.figures.style import BLUE, RED
from tests.tiny_models import plain

SITE = "model.layers.0.mlp.down_proj"
BATCH = {"input_ids": torch.arange(3, 13)[None]}


@pytest.fixture(scope="module")
def model() -> Any:
    return las.convert(plain.llama(layers=1), [{"input_ids": torch.arange(3, 63).view(2, 30)}])


def test_levels_rates_and_dots_are_those_of_the_events(model: Any) -> None:
    shown = las.raster(model, BATCH, SITE, positions=[0, -1], channels=range(5))
    events = las.spike_events(model, BATCH, SITE)[f"{SITE}.site"]
    assert shown.positions == (0, 9)
    assert shown.levels.shape == (2, 5, 16)
    for place, position in enumerate(shown.positions):
        for channel in range(5):
            mine = (events.positions == position) & (events.channels == channel)
            fired = shown.levels[place, channel]
            assert np.flatnonzero(fired).tolist() == (events.times[mine] - 1).tolist()
            assert fired[fired != 0].tolist() == events.levels[mine].tolist()
    assert np.array_equal(shown.rates, events.counts() / 16)
    dots = {to_hex(c.get_facecolor()[0]): c for c in shown.figure.axes[0].collections}
    for colour, sign in ((BLUE, 1), (RED, -1)):
        fired = np.argwhere(np.sign(shown.levels) == sign)
        offsets = {tuple(map(float, o)) for o in dots[colour].get_offsets()}
        assert offsets == {(p * 16 + t + 1.0, float(c)) for p, c, t in fired.tolist()}
        assert len(set(dots[colour].get_sizes())) > 1  # the level
    (image,) = shown.figure.axes[1].images
    assert np.array_equal(image.get_array(), shown.rates.T)


@pytest.mark.parametrize("site", ["model.layers.0.mlp.act_fn", "model.layers.0.self_attn.o_proj"])
def test_oat_and_hg_sites_are_drawn(model: Any, site: str, tmp_path: Path) -> None:
    shown = las.raster(model, BATCH, site)
    assert shown.positions == tuple(range(8))
    assert shown.save(tmp_path / "raster.png").read_bytes().startswith(b"\x89PNG")
    assert shown._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(site="model.layers.0.mlp"), "has several sites, name one of them: model.layers.0"),
        (dict(site="model.layers.0.mpl"), "did you mean model.layers.0.mlp"),
        (dict(positions=[10]), "positions: there is no 10; this site has 0 to 9"),
        (dict(channels=[]), "channels: none are given; this site has 0 to 31"),
        (dict(channels="x"), "channels must be several whole numbers, got 'x'"),
    ],
)
def test_errors_say_what_is_there(model: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        las.raster(model, BATCH, **{"site": SITE, **options})


def test_without_matplotlib(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "las.reporting.figures.spikes", None)
    with pytest.raises(MissingExtraError, match="pip install matplotlib"):
        las.raster(model, BATCH, SITE)
