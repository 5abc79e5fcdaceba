"""What the command line says when it is asked wrongly, or for help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from las.cli import main
from tests.cli.running import run


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
    for command in ("convert", "audit", "evaluate", "energy", "spikes", "compare"):
        assert command in done.stdout
