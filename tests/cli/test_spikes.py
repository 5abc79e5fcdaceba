"""las spikes."""

from __future__ import annotations

from pathlib import Path

import pytest

from las.spikes import SpikeEvents
from tests.cli.running import run

SITE = "model.layers.0.mlp.down_proj.site"


def test_sites_are_listed(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "spikes", files["llama"], "--adapter", files["llama-las"])
    assert status == 0
    listed = dict(reversed(line.split()) for line in out.splitlines())
    assert (listed[SITE], listed["model.layers.0.mlp.act_fn.site"]) == ("oat", "hg:silu")


def test_spikes_are_written(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "made" / "spikes.npz"
    status, out, _ = run(
        capsys,
        *("spikes", files["llama"], "--adapter", files["llama-las"], "--text", files["text"]),
        *("--length", "16", "--sites", "model.layers.0.mlp.down_proj", "lm_head"),
        *("--output", str(output)),
    )
    assert status == 0
    events = SpikeEvents.load(output)
    assert [*events] == [SITE, "lm_head.site"]
    assert events[SITE].positions_in_all == 16
    assert f"{len(events[SITE].times):,} spikes" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sites", "lm_head"], "--sites also needs --text"),
        (["--sites", "lm_heat", "--text", "TEXT", "--output", "o.npz"], "did you mean lm_head"),
        (["--sites", "lm_head", "--text", "none", "--output", "o.npz"], "no such text file"),
    ],
)
def test_errors(
    arguments: list[str],
    words: str,
    files: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [files["text"] if part == "TEXT" else part for part in arguments]
    status, _, err = run(capsys, "spikes", files["llama"], "--adapter", files["llama-las"], *given)
    assert status == 2
    assert words in err
