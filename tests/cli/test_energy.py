"""las energy."""

from __future__ import annotations

import pytest

from tests.cli.running import run


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
    table, tokens, hardware, accounts, verdict = out.split("\n\n")
    assert {line.split()[0] for line in table.splitlines()[1:]} == kinds
    assert "spikes per coded value" in tokens
    if name == "llama":
        assert tokens.startswith("128 tokens")  # two windows of the 64 positions
    assert hardware.startswith("45 nm (Horowitz 2014)")
    assert [line[0] for line in accounts.splitlines()[1:]] == list("1233444444444")
    assert verdict.startswith("By Eq. 25 the spiking model takes 0.")


def test_a_chip_of_which_one_energy_is_known(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(
        capsys,
        *("energy", files["llama"], "--adapter", files["llama-las"]),
        *("--text", files["text"], "--windows", "1", "--hardware", "loihi"),
    )
    assert status == 0
    assert "Loihi, 14 nm, synaptic operations" in out


def test_hardware_that_is_not_described_is_an_error(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, error = run(
        capsys,
        *("energy", files["llama"], "--adapter", files["llama-las"]),
        *("--text", files["text"], "--hardware", "tpu"),
    )
    assert status == 2
    assert "no hardware is called 'tpu'" in error
    assert "horowitz_45nm" in error
