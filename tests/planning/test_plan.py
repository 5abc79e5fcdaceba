from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, OPTConfig

import las
from las.calibration import collect
from las.conversion import prepare
from las.hosts.loading import read_config
from las.planning import GB, Devices, parse_card, parse_gpus, plan, speeds
from las.planning.meta_model import meta_model
from las.planning.placement import place
from las.planning.plan import _here as here
from las.planning.rates import measured, shipped
from tests import tiny_models

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def opt_66b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config.json of OPT-66B's published dimensions."""
    folder = tmp_path_factory.mktemp("opt-66b")
    OPTConfig(
        num_hidden_layers=64,
        hidden_size=9216,
        word_embed_proj_dim=9216,
        num_attention_heads=72,
        ffn_dim=36864,
        vocab_size=50272,
        max_position_embeddings=2048,
        architectures=["OPTForCausalLM"],
        dtype="float16",
    ).save_pretrained(folder)
    return folder / "config.json"


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    tiny_models.build("llama").save_pretrained(folder)
    return folder


def test_opt_66b_on_eight_gpus(opt_66b: Path) -> None:
    hidden, inner, layers = 9216, 36864, 64
    attention = 4 * (hidden * hidden + hidden)
    feed_forward = 2 * hidden * inner + inner + hidden
    layer = attention + feed_forward + 2 * 2 * hidden
    parameters = layers * layer + (50272 + 2048 + 2) * hidden + 2 * hidden
    devices = Devices(parse_gpus("8x24"), 256 * GB, disk=100 * GB)
    made = plan(opt_66b, dtype="float16", devices=devices, flops=1e14)
    assert made.parameters == parameters
    assert made.weights["float16"] == 2 * parameters == made.download
    assert sum(made.placement.bytes.values()) == 2 * parameters
    for i, size in enumerate(devices.gpus):
        assert 0 < made.placement.bytes[f"GPU {i}"] <= size - made.placement.reserved
    linear = layers * (4 * hidden * hidden + 2 * hidden * inner) + 50272 * hidden
    assert made.macs["linear"] == linear
    assert made.cache == 2 * layers * hidden * made.length * 2  # bytes
    assert made.seconds_ann is not None
    computing = 2 * sum(made.macs.values()) * 1000 / 1e14
    assert made.seconds_ann == pytest.approx(computing + made.seconds_moving)
    assert made.seconds_snn is None  # nobody has measured that machine
    assert made.disk_short > made.download - 100 * GB
    assert "OPTForCausalLM: 65.72 G parameters" in str(made)


def test_gpus_by_name_have_the_speed_of_their_data_sheet(llama: Path, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(speeds, "shipped", list)
    devices = Devices(parse_gpus("2xH100"), 256 * GB, card=parse_card("2xH100"))
    made = plan(llama, length=16, dtype="bfloat16", devices=devices)
    assert made.seconds_ann is not None
    computing = 2 * sum(made.macs.values()) * 1000 / 989e12
    assert made.seconds_ann == pytest.approx(computing + made.seconds_moving)
    assert made.seconds_snn is None
    assert "nominal flops of an H100" in str(made)
    assert "is unmeasured: give --neurons" in str(made)
    given = plan(llama, length=16, dtype="bfloat16", devices=devices, flops=1e14, neurons=1e11)
    assert given.speed.source == "flops and neurons as given"
    assert given.seconds_snn is not None and given.seconds_ann is not None
    assert given.seconds_snn > given.seconds_ann > made.seconds_ann


def test_another_gpu_of_that_size_is_not_measured_in_its_place(monkeypatch) -> None:
    class Properties:
        total_memory = 80e9

    for name, told in {
        "is_available": True,
        "device_count": 2,
        "get_device_properties": Properties,
        "get_device_name": "NVIDIA A100-SXM4-80GB",
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, told=told: told)
    gpus = parse_gpus("2xH100")
    assert here(Devices(gpus, 1.0, card=parse_card("2xH100"))) is None
    for devices in (Devices(gpus, 1.0, card=parse_card("2xA100")), Devices(gpus, 1.0)):
        assert here(devices) == torch.device("cuda")


@pytest.mark.parametrize(("gpus", "cpu"), [("1x141", 64), ("1x24", 64), ("1x24", 256)])
def test_opt_66b_on_one_gpu(opt_66b: Path, gpus: str, cpu: float) -> None:
    model = meta_model(read_config(opt_66b), torch.float16)
    size = sum(parameter.nbytes for parameter in model.parameters())
    devices = Devices(parse_gpus(gpus), cpu * GB)
    made = place(model, devices, 4 * GB)
    assert sum(made.bytes.values()) == size
    assert made.bytes["GPU 0"] <= devices.gpus[0] - 4 * GB
    assert made.moved == max(0, made.bytes.get("CPU", 0)) <= devices.cpu
    assert (made.moved > 0) == (size > devices.gpus[0])
    assert (made.read > 0) == (size > devices.gpus[0] + devices.cpu)


def test_files_have_the_size_that_was_planned(llama: Path, tmp_path: Path) -> None:
    """But for the digits of the numbers in their headers."""
    made = plan(llama, batch=4, length=24)
    model = tiny_models.build("llama")
    statistics = collect(prepare(tiny_models.build("llama")), tiny_models.batches("llama"))
    statistics.save(tmp_path / "statistics.safetensors")
    size = (tmp_path / "statistics.safetensors").stat().st_size
    assert made.statistics == pytest.approx(size, rel=0.01)
    saved = sum(file.stat().st_size for file in llama.glob("*.safetensors"))
    assert made.weights["float32"] == pytest.approx(saved, rel=0.1)
    assert made.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_firing_follows_the_rates_that_are_given(llama: Path, tmp_path: Path) -> None:
    """With rates of one alone, spikes are values coded."""
    given = measured(16, 5)
    assert given is not None
    ones = type(given)(
        dict.fromkeys(given.spikes, 1.0), dict.fromkeys(given.sops, 1.0), given.functions, ("all",)
    )
    made = plan(llama, length=24, rates=ones)
    assert made.firing is not None
    assert made.firing.spikes == pytest.approx(made.neurons)
    assert made.firing.sops == pytest.approx(sum(made.macs.values()))
    assert made.firing.sources == ("all",)


def test_neurons_that_were_never_measured_get_no_rates(llama: Path) -> None:
    made = plan(llama, length=24, config=las.SpikeConfig(time_steps=3))
    assert made.firing is None
    assert "no firing rates were measured" in str(made)


def test_a_plan_is_json(llama: Path) -> None:
    made = plan(llama, length=24)
    assert json.loads(json.dumps(made.to_dict()))["parameters"] == made.parameters
    assert made.seconds_ann is not None and made.seconds_snn is not None
    assert made.seconds_snn > made.seconds_ann > 0


def test_bad_input(llama: Path) -> None:
    with pytest.raises(ValueError, match="float32, float16, bfloat16"):
        plan(llama, dtype="int8")
    with pytest.raises(ValueError, match="the model's 64 positions"):
        plan(llama, length=65)
    with pytest.raises(FileNotFoundError, match="no such model"):
        plan(llama / "nothing")
    config: Any = AutoConfig.from_pretrained(llama)
    config.hidden_act = "relu"
    config.save_pretrained(llama / "relu")
    with pytest.raises(las.errors.UnsupportedModelError, match="no HG function"):
        plan(llama / "relu", length=8)


@pytest.mark.parametrize(
    ("name", "evaluation"), [("smollm2-135m", "text"), ("minilm-l6", "similarity")]
)
def test_real_models_fire_as_rates_of_other_models_say(name: str, evaluation: str) -> None:
    """After `make repro`: rates of the other models alone predict what was counted."""
    file = ROOT / "results" / name / "t16h5" / evaluation / "spikes.json"
    base = ROOT / "data" / "models" / name
    if not (file.exists() and base.exists()):
        pytest.skip(f"{file.parent} is not there: make repro writes it")
    from las.energy import estimate
    from las.neurons.tally import SpikeTally

    tally = SpikeTally.from_dict(json.loads(file.read_text()))
    title = json.loads((file.parent / "evaluation.json").read_text())["model"]["title"]
    others = [record for record in shipped() if record.model != title]
    made = plan(base, length=256, rates=measured(16, 5, others))
    assert made.firing is not None
    assert made.sites == len(tally.sites)
    counted = sum(site.spikes for site in tally.sites.values())
    activations = sum(site.activations for site in tally.sites.values())
    assert made.firing.spikes / made.neurons == pytest.approx(counted / activations, rel=0.1)
    ratio = estimate(tally).total.ratio
    assert made.firing.energy_ratio == pytest.approx(ratio, rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch must be a whole number, 1 or more, got 0"),
        ({"batch": "2"}, "batch must be a whole number"),
        ({"batch": True}, "batch must be a whole number"),
        ({"length": 2.5}, "length must be a whole number"),
        ({"length": None}, "length must be a whole number"),
        ({"dtype": torch.float32}, "dtype must be one of float32, float16, bfloat16, got a dtype"),
        ({"dtype": ["float32"]}, "dtype must be one of"),
        ({"config": {"time_steps": 8}}, "config must be a SpikeConfig"),
        ({"devices": "8x24"}, "devices must be a Devices"),
        ({"flops": "fast"}, "flops must be a finite number"),
        ({"neurons": 0}, "neurons must be a finite number"),
        ({"rates": {}}, "rates must be a Rates"),
    ],
)
def test_arguments_of_another_kind(llama, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(llama, **options)


@pytest.mark.parametrize("source", [None, 3, ["model"], {}])
def test_no_source(source: Any) -> None:
    with pytest.raises(ValueError, match="source must be a name on the hub or a path"):
        plan(source)
