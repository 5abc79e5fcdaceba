"""Spike events against the fused path, the counts, and the neurons on their own."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import las
from las.components.site import HGSite, OATSite, Site
from las.errors import CalibrationError, LasError
from las.neurons import oat
from las.spikes import Passage, SpikeEvents, passage_events
from tests.conversion.converted import converted
from tests.spikes.conftest import tokens


def fused_values(model: Any, batch: dict[str, Tensor], site: Site) -> list[Tensor]:
    """What the neurons of a site come to on the fused path, call by call."""
    values: list[Tensor] = []
    hook = site.register_forward_hook(lambda _, __, coded: values.append(coded.value))
    with torch.no_grad(), las.count_spikes(model):
        model(**batch)
    hook.remove()
    return values


@pytest.mark.parametrize("name", ["llama", "bert"])
def test_the_coded_values_are_those_of_the_fused_path(name: str, spiking: dict[str, Any]) -> None:
    model, batch = spiking[name], tokens()
    sites = {site.name: site for site in model.modules() if isinstance(site, Site)}
    events = las.spike_events(model, batch, [*sites])
    assert [*events] == [*las.spiking_sites(model)] == [*sites]
    compared = set()
    for site in sites.values():
        values = fused_values(model, batch, site)
        if len(values) != 1:  # one kernel codes all neurons of an attention, norm or gated product
            continue
        compared.add(type(site))
        fused = values[0].reshape(-1, values[0].shape[-1]).numpy()
        coded = events[site.name].coded()
        assert coded == pytest.approx(fused, rel=1e-9, abs=1e-9 * np.abs(fused).max())
    assert compared == ({OATSite, HGSite} if name == "bert" else {OATSite})


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("name", ["llama", "bert"])
def test_there_are_as_many_spikes_as_are_counted(
    name: str, padding: int, spiking: dict[str, Any]
) -> None:
    model, batch = spiking[name], tokens(padding=padding)
    with torch.no_grad(), las.count_spikes(model) as counted:
        model(**batch)
    events = las.spike_events(model, batch, "*")
    assert {site: len(one.times) for site, one in events.items()} == {
        site: count.spikes for site, count in counted.sites.items()
    }
    assert sum(int(one.counts().sum()) for one in events.values()) == counted.spikes


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixtral", "gpt-oss", "deberta-v2-mlm", "vit", "whisper"])
def test_experts_images_and_encoder_decoders_spike_as_often_as_is_counted(name: str) -> None:
    pair = converted(name)
    model, batch = pair.spiking, pair.batch()
    with torch.no_grad(), las.simulate(model), las.count_spikes(model) as counted:
        model(**batch)
    events = las.spike_events(model, batch, "*")
    assert {site: len(one.times) for site, one in events.items()} == {
        site: count.spikes for site, count in counted.sites.items()
    }


def test_levels_and_times_are_those_of_the_neuron(spiking: dict[str, Any]) -> None:
    model, batch = spiking["llama"], tokens()
    site = model.model.layers[0].mlp.down_proj.site
    seen: list[Tensor] = []
    hook = site.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(**batch)
    hook.remove()
    (x,) = seen
    events = las.spike_events(model, batch, site.name)[site.name]
    neuron = site.neuron
    assert (events.time_steps, events.levels_of_neurons) == (16, 5)
    assert events.taus == neuron.taus
    assert events.shapes == ((24, 32),)
    assert set(np.unique(np.abs(events.levels))) <= set(range(5, 10))
    assert (events.levels < 0).any() and (events.levels > 0).any()
    train = torch.stack([*oat.spike_train(x.reshape(-1, 32), neuron)]).numpy()
    rebuilt = np.zeros_like(train)
    rebuilt[events.times.astype(int) - 1, events.positions, events.channels] = events.values
    scale = np.abs(train).max()
    assert np.array_equal(rebuilt != 0, train != 0)
    # The simulator reads its own activations, which differ in the last digits at most.
    assert rebuilt == pytest.approx(train, rel=1e-12, abs=1e-12 * scale)
    theta = neuron.taus[0] * 0.5 ** np.arange(1, 17)
    assert events.weights[0] == pytest.approx(theta / 5)


def test_neurons_fire_in_the_first_steps_only_where_they_are_stopped(
    spiking: dict[str, Any],
) -> None:
    site, model = "model.layers.1.mlp.down_proj.site", spiking["llama"]
    whole = las.spike_events(model, tokens(), site)[site]
    with las.stop_after(model, 6):
        stopped = las.spike_events(model, tokens(), site)[site]
    assert stopped.times.max() <= 6 < whole.times.max()


def test_rates_of_steps_are_counted_over_all_neurons(spiking: dict[str, Any]) -> None:
    model, name = spiking["llama"], "model.layers.0.mlp.down_proj.site"
    events = las.spike_events(model, tokens(1, 6), name)[name]
    rates = events.rates_of_steps()
    assert rates.shape == (16,)
    neurons = 6 * events.channels_in_all
    for step in range(1, 17):
        assert rates[step - 1] == np.count_nonzero(events.times == step) / neurons
    assert rates.sum() == pytest.approx(events.counts().sum() / neurons)


def test_layers_modules_and_patterns_name_sites(spiking: dict[str, Any]) -> None:
    model = spiking["llama"]

    def sites(*names: str) -> list[str]:
        return [*las.spike_events(model, tokens(1, 4), names)]

    shared = "model.layers.0.self_attn.q_proj.site"
    assert sites("model.layers.0.self_attn.q_proj") == [shared]
    assert sites("model.layers.0.self_attn.k_proj.site") == [shared]
    assert sites("lm_head", "model.layers.0.mlp.up_site") == [
        "model.layers.0.mlp.up_site",
        "lm_head.site",
    ]
    assert sites("model.layers.*.mlp.act_fn.site") == [
        f"model.layers.{i}.mlp.act_fn.site" for i in (0, 1)
    ]
    assert len(sites("model.layers.1.mlp")) == 4


def test_nothing_is_left_behind_and_other_threads_are_not_recorded(
    spiking: dict[str, Any],
) -> None:
    model, site = spiking["llama"], "lm_head.site"
    alone = las.spike_events(model, tokens(1, 8), site)[site]
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            with torch.no_grad():
                model(**tokens(2, 4))

    other = threading.Thread(target=run)
    other.start()
    try:
        beside = las.spike_events(model, tokens(1, 8), site)[site]
    finally:
        stop.set()
        other.join()
    assert beside.shapes == alone.shapes
    assert np.array_equal(beside.levels, alone.levels)
    run_state = model.lm_head.run
    assert not run_state.recorders and not run_state.watched


def test_a_file_gives_the_events_back_without_pickle(
    spiking: dict[str, Any], tmp_path: Path
) -> None:
    names = ["lm_head", "model.layers.0.mlp.act_fn"]
    events = las.spike_events(spiking["llama"], tokens(), names)
    path = events.save(tmp_path / "spikes.npz")
    again = SpikeEvents.load(path)
    assert [*again] == [*events]
    for name, one in events.items():
        for part, value in vars(one).items():
            other = getattr(again[name], part)
            if isinstance(value, np.ndarray):
                assert value.dtype == other.dtype
                assert np.array_equal(value, other)
            else:
                assert value == other
    assert path.read_bytes() == events.save(tmp_path / "again.npz").read_bytes()
    with np.load(path, allow_pickle=False) as file:
        site = json.loads(str(file["header"]))["sites"]["lm_head.site"]
        value = (
            file["lm_head.site/levels"]
            * file["lm_head.site/weights"][
                file["lm_head.site/bands"], file["lm_head.site/times"].astype(int) - 1
            ]
        )
    assert np.array_equal(value, events["lm_head.site"].values)
    assert (site["time_steps"], site["levels_of_neurons"]) == (16, 5)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 nothing"])
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "spikes.npz"
    path.write_bytes(content)
    with pytest.raises(LasError, match=r"spikes.npz is no file of spike events"):
        SpikeEvents.load(path)
    with pytest.raises(FileNotFoundError):
        SpikeEvents.load(tmp_path / "none.npz")


def test_a_passage_is_kept_with_its_tokens(
    spiking: dict[str, Any], byte_tokenizer: Any, tmp_path: Path
) -> None:
    model, site = spiking["llama"], "lm_head.site"
    text = "Ein_$x$_und,ein:Y"
    events = passage_events(
        *(model, byte_tokenizer, text, site), tokens=12, model_title="M", text_title="a test"
    )
    again = SpikeEvents.load(events.save(tmp_path / "spikes.npz"))
    assert again.passage == Passage("M", "a test", tuple(text[:12]))
    ids = torch.tensor([byte_tokenizer(text, add_special_tokens=False)["input_ids"][:12]])
    alone = las.spike_events(model, {"input_ids": ids}, site)[site]
    for part in ("times", "positions", "channels", "levels", "bands"):
        assert np.array_equal(getattr(again[site], part), getattr(alone, part))
    assert alone.times.size > 0
    with pytest.raises(ValueError, match="holds 19 tokens, but one window needs 40"):
        passage_events(
            *(model, byte_tokenizer, text, site), tokens=40, model_title="M", text_title="a test"
        )


def test_a_damaged_byte_is_noticed_or_changes_nothing(
    spiking: dict[str, Any], tmp_path: Path
) -> None:
    whole = las.spike_events(spiking["llama"], tokens(), "lm_head")["lm_head.site"]
    path = SpikeEvents({whole.site: whole}).save(tmp_path / "spikes.npz")
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), len(content) // 25):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            found = SpikeEvents.load(path)[whole.site]
        except LasError as error:
            assert "spikes.npz is no file of spike events" in str(error)
            refused += 1
        else:
            assert np.array_equal(found.coded(), whole.coded())
    assert refused > 12


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("times", 17, "times of lm_head.site are not all within 1 to 16"),
        ("positions", 24, "positions of lm_head.site are not all within 0 to 23"),
        ("channels", -1, "channels of lm_head.site are not all within"),
        ("bands", None, "bands and levels of lm_head.site differ in number"),
    ],
)
def test_spikes_of_no_neuron_are_refused(
    part: str, value: int | None, words: str, spiking: dict[str, Any], tmp_path: Path
) -> None:
    events = las.spike_events(spiking["llama"], tokens(), "lm_head")["lm_head.site"]
    array = getattr(events, part).copy()
    if value is None:
        array = array[1:]
    else:
        array[0] = value
    wrong = SpikeEvents({events.site: replace(events, **{part: array})})
    with pytest.raises(LasError, match=words):
        SpikeEvents.load(wrong.save(tmp_path / "spikes.npz"))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("model.layers.0.mlp.dwn_proj", "did you mean model.layers.0.mlp.down_proj"),
        ("zzz", r"no neurons at 'zzz': las.spiking_sites\(model\) lists all {all}$"),
        ("model.layers.7.*", "no neurons at"),
        ([], "no site is named"),
        ([3], "named by a text, got 3"),
    ],
)
def test_errors_of_names(names: Any, words: str, spiking: dict[str, Any]) -> None:
    model = spiking["llama"]
    with pytest.raises(
        ValueError, match=words.replace("{all}", str(len(las.spiking_sites(model))))
    ):
        las.spike_events(model, tokens(), names)


def test_errors_of_models_and_batches(spiking: dict[str, Any]) -> None:
    with pytest.raises(LasError, match="has no spiking neurons"):
        las.spike_events(torch.nn.Linear(2, 2), tokens(), "x")
    with pytest.raises(CalibrationError, match="the batch"):
        las.spike_events(spiking["llama"], {"input_ids": torch.zeros(2)}, "lm_head")
