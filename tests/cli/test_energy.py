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
    table, _, tokens = out.partition("\n\n")
    assert {line.split()[0] for line in table.splitlines()[1:]} == kinds
    assert "spikes per coded value" in tokens
    if name == "llama":
        assert tokens.startswith("128 tokens")  # two windows of the 64 positions
