"""No stage fails, and none waits long, because of the tracker; what it cannot send stays here."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from las.cli import main
from pipeline import paths, revision, tracking
from pipeline.paths import Cell
from pipeline.tracking import tracked_cell
from tests.pipeline.wandb_server import WandbServer
from tests.reporting.conftest import similarity_scores, write_cell

SIMILARITY = similarity_scores(16)

SCORE = {
    "task": "piqa",
    "metric": "acc",
    "ann": 0.7,
    "snn": 0.69,
    "ann_stderr": 0.05,
    "snn_stderr": None,
    "items": 60,
    "items_available": 1838,
    "agreement": 0.98,
    "kl": None,
}
KEY = "0123456789" * 4


@pytest.fixture
def cfg(composed, tmp_path, monkeypatch):
    """A cell below an empty root, no key for the tracker, and nothing known of its reach."""
    import wandb

    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tracking, "PATIENCE", 2.0)
    monkeypatch.setattr(tracking, "_lost", False)
    tracking._say.cache_clear()
    tracking._folder.cache_clear()
    wandb.teardown()
    yield composed(f"root={tmp_path / 'root'}", "model=minilm-l6", "neuron=t10h5")
    wandb.teardown()


def track(cfg) -> None:
    with tracked_cell(cfg, Cell.of(cfg)) as tracker:
        tracker.log_scores([SCORE])


def kill_the_tracker() -> None:
    for process in psutil.Process().children(recursive=True):
        if "wandb" in process.name():
            process.kill()
            process.wait()


def kept(run: Path) -> bytes:
    """The file of a run. The tracker's process closes it some time after the run's end."""
    import wandb

    wandb.teardown()
    return next(run.glob("*.wandb")).read_bytes()


def offline_runs(root: Path) -> list[Path]:
    return sorted(root.glob("wandb/offline-run-*"))


def logged(run: Path) -> dict[str, object]:
    (table,) = run.glob("files/media/table/tables/*.table.json")
    content = json.loads(table.read_text())
    return dict(zip(content["columns"], content["data"][0], strict=True))


@pytest.fixture
def results(cfg) -> Path:
    """The files of the results of the cell, and an adapter."""
    cell = Cell.of(cfg)
    written = write_cell(cell.root / "made-up", "tiny-encoder", "similarity", 16, 5, SIMILARITY)
    made = cell.root / "made-up" / "/".join(written[key] for key in ("model", "neuron"))
    cell.results.parent.mkdir(parents=True)
    shutil.copytree(made / "similarity", cell.results)
    cell.adapter.mkdir(parents=True)
    (cell.adapter / "las_adapter.safetensors").write_bytes(b"thresholds")
    return cell.results


def test_a_run_says_what_made_it_and_holds_its_results(cfg, tmp_path, results, capsys):
    """From its directory alone the tables of the paper are made again, equal to the cell's."""
    track(cfg)
    (run,) = offline_runs(tmp_path / "root")
    for name in ("evaluation", "spikes", "energy"):
        file = f"{name}.json"
        assert (run / "files" / file).read_bytes() == (results / file).read_bytes()
    content = kept(run)
    assert b"adapter-minilm-l6-t10h5" in content
    assert revision.revision().commit.encode() in content
    assert b"table 3" in content
    assert main(["compare", str(run)]) == 0
    from_run = capsys.readouterr().out
    assert main(["compare", str(results)]) == 0
    from_cell = capsys.readouterr().out
    assert "| minilm-l6-t10h5-similarity | Tiny-Encoder | WordSim-353, Spearman |" in from_run
    of_paper = [text.partition("### Table 3.")[2] for text in (from_run, from_cell)]
    assert of_paper[0] == of_paper[1] != ""


def test_an_offline_run_is_sent_later_with_all_that_it_holds(cfg, tmp_path, monkeypatch, results):
    track(cfg)
    (run,) = offline_runs(tmp_path / "root")
    assert kept(run)
    server = WandbServer(keeps=True)
    environment = {**os.environ, "WANDB_API_KEY": KEY, "WANDB_BASE_URL": server.url}
    environment.pop("WANDB_SILENT", None)
    sent = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", str(run)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert sent.returncode == 0, sent.stderr
    (told,) = server.runs.values()
    assert (told["name"], told["groupName"], told["jobType"]) == (
        *("minilm-l6-t10h5-similarity", "table 3", "minilm-l6"),
    )
    said = json.loads(told["config"])
    assert said["revision"]["value"]["commit"] == revision.revision().commit
    assert said["neuron"]["value"]["time_steps"] == 10
    for name in ("evaluation", "spikes", "energy"):
        assert server.files[f"{name}.json"] == (results / f"{name}.json").read_bytes()
    assert any(name.startswith("media/table/tables/scores") for name in server.files)
    assert "adapter-minilm-l6-t10h5" in server.artifacts
    server.close()


def test_every_suite_has_the_group_of_its_table():
    suites = {path.stem for path in (Path(paths.CONF) / "evaluation").glob("*.yaml")}
    assert suites - set(tracking.GROUPS) == {"anytime"}
    assert set(tracking.GROUPS) <= suites


def test_without_a_key_a_run_is_written_offline(cfg, tmp_path, capsys):
    track(cfg)
    (run,) = offline_runs(tmp_path / "root")
    assert run.name.endswith("minilm-l6-t10h5-similarity")
    assert logged(run) == SCORE
    assert capsys.readouterr().out == ""


def test_tracking_can_be_switched_off(cfg, tmp_path):
    cfg.tracking.enabled = False
    with tracked_cell(cfg, Cell.of(cfg)) as tracker:
        tracker.log_scores([SCORE])
        tracker.log_figure(Path("not-there.png"))
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("name", "value", "runs"),
    [
        ("WANDB_MODE", "offline", 1),
        ("WANDB_MODE", "dryrun", 1),
        ("WANDB_MODE", "disabled", 0),
        ("WANDB_MODE", "no mode", 0),
        ("WANDB_DISABLED", "true", 0),
    ],
)
def test_the_trackers_own_variables_hold(cfg, tmp_path, monkeypatch, name, value, runs):
    monkeypatch.setenv(name, value)
    track(cfg)
    assert len(offline_runs(tmp_path / "root")) == runs


def test_a_key_is_never_printed(cfg, monkeypatch, capfd):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_MODE", "offline")
    track(cfg)
    printed = capfd.readouterr()
    assert KEY not in printed.out + printed.err


@pytest.fixture
def address(request) -> Iterator[str]:
    """Where a tracker is looked for in vain."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if request.param == "refuses":
            yield url
        elif request.param == "is silent":
            listening.listen()
            yield url
        else:
            listening.close()
            handler = type("Handler", (_Answers,), {"status": request.param})
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()


class _Answers(http.server.BaseHTTPRequestHandler):
    status = 0

    def do_POST(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"<html>not a tracker</html>")

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("address", ["refuses", "is silent", 200, 401, 404, 503], indirect=True)
def test_out_of_reach_runs_go_on_offline_after_one_short_wait(
    cfg, tmp_path, monkeypatch, capfd, address
):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", address)
    begun = time.monotonic()
    track(cfg)
    waited = time.monotonic() - begun
    assert waited < 15
    cfg.evaluation.name = "again"
    track(cfg)
    assert time.monotonic() - begun - waited < 5
    first, second = offline_runs(tmp_path / "root")
    assert logged(first) == logged(second) == SCORE
    printed = capfd.readouterr()
    assert printed.out.count("W&B is out of reach") == 1
    assert "wandb sync" in printed.out
    assert KEY not in printed.out + printed.err


@pytest.mark.parametrize("way", ["refuses", "is silent"])
def test_lost_in_the_middle_of_a_run_nothing_is_lost(cfg, tmp_path, monkeypatch, capfd, way):
    """All that was logged is written offline in the end, and later runs begin so."""
    server = WandbServer()
    monkeypatch.setattr(tracking, "PATIENCE", 4.0)  # for the run after it, too
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    with tracked_cell(cfg, Cell.of(cfg)) as tracker:
        tracker.log_scores([SCORE])
        if way == "refuses":
            server.close()
        else:
            server.fall_silent()
        tracker.log_numbers({"energy_ratio": 0.5})
        assert list((tmp_path / "root" / "wandb").glob("run-*"))  # so far it was online
        begun = time.monotonic()
    assert time.monotonic() - begun < 30
    (run,) = offline_runs(tmp_path / "root")
    assert logged(run) == SCORE
    assert b"energy_ratio" in kept(run)
    cfg.evaluation.name = "again"
    begun = time.monotonic()
    track(cfg)
    assert time.monotonic() - begun < 5
    assert logged(offline_runs(tmp_path / "root")[1]) == SCORE
    printed = capfd.readouterr()
    assert printed.out.count("W&B is out of reach") == 1
    assert KEY not in printed.out + printed.err


@pytest.mark.parametrize("key", ["abc", "", None])
def test_a_missing_key_or_one_that_cannot_be_is_said_once(cfg, tmp_path, monkeypatch, capsys, key):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    if key is not None:
        monkeypatch.setenv("WANDB_API_KEY", key)
    track(cfg)
    track(cfg)
    assert capsys.readouterr().out.count("W&B is out of reach") == 1
    assert logged(offline_runs(tmp_path / "root")[0]) == SCORE


def test_a_file_in_the_way_moves_the_runs_elsewhere(cfg, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "wandb").write_text("")
    track(cfg)
    track(cfg)
    assert capsys.readouterr().out.count("W&B cannot write to") == 1
    (elsewhere,) = tmp_path.glob("las-*")
    assert logged(offline_runs(elsewhere)[0]) == SCORE


def test_a_tracker_that_dies_takes_nobody_along(cfg, tmp_path, capsys):
    with tracked_cell(cfg, Cell.of(cfg)) as tracker:
        tracker.log_scores([SCORE])
        kill_the_tracker()
        tracker.log_scores([SCORE])
    assert "W&B failed" in capsys.readouterr().out
    cfg.evaluation.name = "again"
    track(cfg)
    assert logged(offline_runs(tmp_path / "root")[-1]) == SCORE


def test_an_error_of_the_stage_is_not_hidden(cfg):
    with pytest.raises(ZeroDivisionError), tracked_cell(cfg, Cell.of(cfg)):
        raise ZeroDivisionError


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become another user",
)
def test_another_user_without_a_home_tracks_elsewhere(tmp_path):
    code = f"""
from hydra import compose, initialize_config_dir
from pipeline.paths import Cell
from pipeline.tracking import tracked_cell

with initialize_config_dir({paths.CONF!r}, version_base="1.3"):
    cfg = compose("config", ["root={tmp_path}"])
with tracked_cell(cfg, Cell.of(cfg)) as tracker:
    tracker.log_scores([{SCORE!r}])
print("done")
"""
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    environment |= {"HOME": "/nonexistent", "PYTHONPATH": str(paths.ROOT)}
    done = subprocess.run(
        [*user, sys.executable, "-c", code],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("W&B cannot write to") == 1
    assert done.stdout.endswith("done\n")
    (place,) = re.findall(r"runs are written to (.*)/wandb\.", done.stdout)
    (run,) = offline_runs(Path(place))
    assert logged(run) == SCORE
    shutil.rmtree(place)
