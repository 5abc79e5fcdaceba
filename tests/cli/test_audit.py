"""las audit."""

from __future__ import annotations

import pytest

from tests.cli.running import run


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
