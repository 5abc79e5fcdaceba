from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

import las
from las.cli import main
from las.conversion.prepare import is_spiking

TEXT = "".join(f"Line {i} of a text that says little.\n\n" for i in range(60))


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, byte_tokenizer: PreTrainedTokenizerFast
) -> dict[str, str]:
    """A tiny language model, tiny encoders, a text, adapters, and a model that translates."""
    root = tmp_path_factory.mktemp("cli")
    tokenizer = byte_tokenizer
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
        "initializer_range": 0.5,
    }
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=1)).save_pretrained(root / "llama")
    BertModel(BertConfig(**sizes)).save_pretrained(root / "bert")
    t5 = dict(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    T5EncoderModel(T5Config(**t5)).save_pretrained(root / "encoder")
    T5ForConditionalGeneration(T5Config(**t5)).save_pretrained(root / "t5")
    converted = ("llama", "bert", "encoder")
    names = {name: str(root / name) for name in (*converted, "t5", "text")}
    names |= {f"{name}-las": f"{names[name]}-las" for name in converted}
    (root / "text").write_text(TEXT)
    tokenizer.save_pretrained(root / "t5")
    for name in converted:
        tokenizer.save_pretrained(root / name)
        arguments = ["convert", names[name], names["text"], "--out", names[f"{name}-las"]]
        assert main([*arguments, "--windows", "4"]) == 0
    return names


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_convert_writes_an_adapter_that_loads(files: dict[str, str]) -> None:
    base = AutoModelForCausalLM.from_pretrained(files["llama"])
    assert is_spiking(las.load(base, files["llama-las"]))
    assert [path.name for path in Path(files["llama-las"]).iterdir()] == ["las_adapter.safetensors"]


def test_convert_passes_its_options_on(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--time-steps 10 --levels 3 --bands 1 --rounding floor --windows 2 --length 32"
    status, out, _ = run(
        capsys, "convert", files["llama"], files["text"], "--out", str(tmp_path), *options.split()
    )
    assert status == 0
    assert out.startswith("adapter of 0.")
    config = las.conversion.read_adapter(tmp_path).config
    assert config == las.SpikeConfig(time_steps=10, levels=3, bands=1, rounding="floor")


def test_a_full_checkpoint_needs_no_base_model(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "full")
    assert run(capsys, "convert", files["llama"], files["text"], "--out", out, "--full")[0] == 0
    status, report, _ = run(capsys, "audit", out)
    assert status == 0
    assert report.startswith("LlamaForCausalLM: no float operation")
    assert (tmp_path / "full" / "tokenizer.json").exists()


@pytest.mark.parametrize("name", ["llama", "bert", "encoder"])
def test_audit_tells_a_dense_model_from_a_spiking_one(
    files: dict[str, str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, dense, _ = run(capsys, "audit", files[name])
    assert "still float" in dense
    _, spiking, _ = run(capsys, "audit", files[name], "--adapter", files[f"{name}-las"])
    assert "no float operation" in spiking
    assert "SpikingLinear" in spiking
    _, table, _ = run(capsys, "audit", files[name], "--adapter", files[f"{name}-las"], "--markdown")
    assert table.startswith("| verdict |")


def test_evaluate_sets_the_two_models_side_by_side(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(
        capsys,
        *("evaluate", files["llama"], "--adapter", files["llama-las"]),
        *("--text", files["text"], "--windows", "3", "--length", "40"),
    )
    assert status == 0
    values = {line[:22].strip(): line[22:].strip() for line in out.splitlines()}
    assert float(values["perplexity, SNN"]) == pytest.approx(
        float(values["perplexity, ANN"]), rel=1e-2
    )
    assert values["tokens predicted"] == str(3 * 39)
    assert float(values["KL(ANN || SNN)"].split()[0]) < 1e-3
    assert values["same top-1 token"].endswith("%")


def test_evaluate_after_each_time_step(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(
        capsys,
        *("evaluate", files["llama"], "--adapter", files["llama-las"], "--each-step"),
        *("--text", files["text"], "--windows", "2", "--length", "40"),
    )
    assert status == 0
    rows = [line.split() for line in out.splitlines()[2:]]
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    assert float(rows[-1][2]) < 1e-3 < float(rows[0][2])


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("llama", {"linear", "matmul", "softmax", "norm", "hadamard", "total"}),
        ("bert", {"linear", "matmul", "softmax", "norm", "activation", "total"}),
    ],
)
def test_energy_by_kind_of_layer(
    files: dict[str, str], name: str, kinds: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(
        capsys,
        *("energy", files[name], "--adapter", files[f"{name}-las"]),
        *("--text", files["text"], "--windows", "2"),
    )
    assert status == 0
    table, _, tokens = out.partition("\n\n")
    assert {line.split()[0] for line in table.splitlines()[1:]} == kinds
    assert "spikes per coded value" in tokens
    if name == "llama":
        assert tokens.startswith("128 tokens")  # two windows of the 64 positions


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit", "./nowhere"], "no such model directory"),
        (["audit", "LLAMA", "--adapter", "./nowhere"], "no adapter in"),
        (["audit", "LLAMA", "--adapter", "BERT-LAS"], "belongs to a bert model"),
        (["convert", "LLAMA", "./nowhere.txt", "--out", "OUT"], "no such text file"),
        (["convert", "LLAMA", "TEXT", "--out", "TEXT"], "is a file"),
        (["convert", "LLAMA", "TEXT", "--out", "OUT", "--time-steps", "0"], "time_steps"),
        (["convert", "LLAMA", "TEXT", "--out", "OUT", "--levels", "0"], "levels"),
        (["convert", "LLAMA", "TEXT", "--out", "OUT", "--length", "65"], "64 positions"),
        (["convert", "LLAMA", "TEXT", "--out", "OUT", "--length", "1"], "at least 2 tokens"),
        (["convert", "LLAMA", "TEXT", "--out", "OUT", "--windows", "999"], "give more text"),
        (["convert", "LLAMA", "BINARY", "--out", "OUT"], "no UTF-8 text"),
        (["convert", "BERT", "EMPTY", "--out", "OUT"], "only 0"),
        (["convert", "T5", "TEXT", "--out", "OUT"], "reads one text and writes another"),
        (["evaluate", "BERT", "--adapter", "BERT-LAS", "--text", "TEXT"], "scores causal language"),
        (["energy", "LLAMA", "--adapter", "./nowhere", "--text", "TEXT"], "no adapter in"),
    ],
)
def test_an_error_is_one_line_and_status_2(
    arguments: list[str],
    message: str,
    files: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00 no text")
    (tmp_path / "empty").write_text("")
    places = {name.upper(): path for name, path in files.items()}
    places |= {name.upper(): str(tmp_path / name) for name in ("out", "binary", "empty")}
    status, out, err = run(capsys, *(places.get(argument, argument) for argument in arguments))
    assert (status, out) == (2, "")
    lines = [line for line in err.splitlines() if line.startswith("las: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_a_command_without_arguments_shows_its_use(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["convert"], ["evaluate", "model"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert "usage: las" in capsys.readouterr().err


def test_help_names_the_commands_and_needs_no_matplotlib_or_lm_eval() -> None:
    code = (
        "import sys; from las.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'lm_eval', 'datasets', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    for command in ("convert", "audit", "evaluate", "energy"):
        assert command in done.stdout


def test_plan_reads_the_config_alone(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_bytes((Path(files["llama"]) / "config.json").read_bytes())
    sizes = ["--batch", "2", "--length", "32", "--dtype", "bfloat16"]
    assert main(["plan", str(config), *sizes, "--gpus", "2x24", "--cpu-memory", "1"]) == 0
    table = capsys.readouterr().out
    assert "one pass of 2 x 32 tokens, bfloat16 weights" in table
    assert "GPU 0" in table
    assert main(["plan", str(config), *sizes, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    model = AutoModelForCausalLM.from_pretrained(files["llama"])
    assert made["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert main(["plan", str(config), "--length", "32", "--gpus", "24GB"]) == 2
    assert "e.g. 8x24" in capsys.readouterr().err
