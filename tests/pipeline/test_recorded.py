"""The stage that records spikes, against the step simulator and the neurons themselves."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import las
from las.components.running import running
from las.components.site import Site
from las.data.wikipedia import articles
from las.hosts.loading import load_model
from las.neurons import oat
from las.spikes import SpikeEvents
from pipeline import spikes
from pipeline.paths import MissingStageError

MODEL = "smollm2-135m"
SITES = ["model.layers.0.mlp.down_proj.site", "model.layers.0.mlp.act_fn.site"]
OVERRIDES = [
    f"model={MODEL}",
    "neuron=t16h5",
    "spikes.dump=wikipedia/pages.xml.bz2",
    "spikes.tokens=8",
    f"spikes.sites=[{','.join(SITES)}]",
]


@pytest.fixture(scope="module")
def root(mine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a tiny model that is converted, and a dump."""
    root = tmp_path_factory.mktemp("root")
    shutil.copytree(mine / MODEL, root / "data" / "models" / MODEL)
    shutil.copytree(mine / "wikipedia", root / "data" / "assets" / "wikipedia")
    model = load_model(mine / MODEL, "causal_lm")
    las.convert(model, [{"input_ids": torch.arange(3, 51).view(2, 24)}])
    las.save(model, root / "data" / "spiking" / MODEL / "neurons" / "t16h5" / "adapter")
    return root


@pytest.fixture
def recorded(root: Path, composed: Any) -> Path:
    """What the stage writes."""
    spikes.run(composed(f"root={root}", *OVERRIDES))
    return root / "results" / "spikes" / f"{MODEL}-t16h5.npz"


class Inputs:
    """What the step simulator gives to each site."""

    def __init__(self) -> None:
        self.of: dict[str, Tensor] = {}

    def told(self, site: Site, x: Tensor, train: Any, silent: Tensor | None) -> Any:
        self.of[site.name] = x.detach().clone()
        return train


def test_the_events_are_those_of_the_step_simulator(
    root: Path, recorded: Path, byte_tokenizer: Any
) -> None:
    events = SpikeEvents.load(recorded)
    assert {*events} == {*SITES}
    dump = root / "data" / "assets" / "wikipedia" / "pages.xml.bz2"
    article = next(articles(dump, "held-out"))
    assert events.passage is not None
    assert events.passage.tokens == tuple(article.text[:8])
    assert article.title in events.passage.text
    ids = torch.tensor([byte_tokenizer(article.text[:8], add_special_tokens=False)["input_ids"]])
    model = las.load(
        load_model(root / "data" / "models" / MODEL, "causal_lm"),
        root / "data" / "spiking" / MODEL / "neurons" / "t16h5" / "adapter",
    )
    (one,) = running(model)
    inputs = Inputs()
    with torch.no_grad(), las.simulate(model), one.run.recorded(inputs):
        model(input_ids=ids)
    name = SITES[0]
    x, site = inputs.of[name], model.get_submodule(name)
    train = torch.stack([*oat.spike_train(x.double().flatten(0, -2), site.neuron)]).numpy()
    rebuilt = np.zeros_like(train)
    found = events[name]
    rebuilt[found.times.astype(int) - 1, found.positions, found.channels] = found.values
    assert np.count_nonzero(train) > 50
    assert rebuilt == pytest.approx(train, rel=1e-6)
    again = las.spike_events(model, {"input_ids": ids}, SITES)
    for site_name in SITES:
        for part in ("times", "positions", "channels", "levels", "bands", "weights"):
            mine, theirs = (getattr(e[site_name], part) for e in (events, again))
            assert np.array_equal(mine, theirs)


def test_it_is_the_same_file_each_time(root: Path, recorded: Path, composed: Any) -> None:
    before = recorded.read_bytes()
    recorded.unlink()
    spikes.run(composed(f"root={root}", *OVERRIDES))
    assert recorded.read_bytes() == before
    assert [path.name for path in recorded.parent.iterdir()] == [recorded.name]


def test_a_model_that_is_not_converted_names_convert(root: Path, composed: Any) -> None:
    with pytest.raises(MissingStageError, match=r"python -m pipeline\.convert model=smollm2-135m"):
        spikes.run(composed(f"root={root}", *OVERRIDES, "neuron=t8h5"))


def test_a_site_that_is_not_there_is_named(root: Path, composed: Any) -> None:
    overrides = [*OVERRIDES[:-1], "spikes.sites=[model.layers.0.mlp.dwn_proj]"]
    with pytest.raises(ValueError, match=r"did you mean model\.layers\.0\.mlp\.down_proj"):
        spikes.run(composed(f"root={root}", *overrides))
