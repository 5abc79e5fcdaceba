from __future__ import annotations

import http.server
import threading
import time

import huggingface_hub
import pytest
from huggingface_hub import constants

from las.assets.hub import PICKLED, HubFolder, hub_reachable
from las.errors import AssetError


@pytest.fixture
def hub_at(monkeypatch):
    """Point the hub's client at another address."""

    def point(url: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.delenv(name, raising=False)

    return point


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    with http.server.HTTPServer(("127.0.0.1", 0), _Answer) as answering:
        thread = threading.Thread(target=answering.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{answering.server_port}"
        answering.shutdown()
        thread.join()


def test_a_hub_that_answers_is_reachable(hub_at, server):
    hub_at(server)
    assert hub_reachable()


def test_offline_mode_is_obeyed(hub_at, server, monkeypatch):
    hub_at(server)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub_reachable()


def test_a_hub_that_refuses_is_not_reachable(hub_at):
    hub_at("http://127.0.0.1:9")
    assert not hub_reachable()


def test_a_hub_that_never_answers_costs_no_more_than_the_limit(hub_at):
    hub_at("http://10.255.255.1")
    start = time.monotonic()
    assert not hub_reachable(timeout=0.3)
    assert time.monotonic() - start < 2


def test_files_land_under_their_base_names_and_pickles_are_refused(tmp_path, monkeypatch):
    snapshot = tmp_path / "snapshot"
    (snapshot / "main").mkdir(parents=True)
    (snapshot / "main" / "test-0.parquet").write_text("rows")
    asked = {}

    def fake(repo_id: str, **arguments: object) -> str:
        asked.update(arguments, repo_id=repo_id)
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake)
    HubFolder("owner/set", ["main/*"], "dataset", folder="set/test").extract_to(tmp_path / "out")
    assert (tmp_path / "out" / "set" / "test" / "test-0.parquet").read_text() == "rows"
    assert asked["repo_id"] == "owner/set"
    assert asked["allow_patterns"] == ["main/*"]
    assert asked["ignore_patterns"] == list(PICKLED)


def test_what_the_cache_holds_besides_is_not_taken(tmp_path, monkeypatch):
    snapshot = tmp_path / "snapshot"
    for name in ("sst2", "mrpc"):
        (snapshot / name).mkdir(parents=True)
        (snapshot / name / "validation-0.parquet").write_text(name)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(snapshot))
    for name in ("sst2", "mrpc"):
        folder = HubFolder("owner/set", [f"{name}/validation-*"], "dataset", folder=name)
        folder.extract_to(tmp_path / "out")
        there = [path.read_text() for path in (tmp_path / "out" / name).iterdir()]
        assert there == [name]


def test_a_repository_without_such_files_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(AssetError, match="owner/set holds no file that matches"):
        HubFolder("owner/set", ["*.parquet"]).extract_to(tmp_path / "out")


def test_a_hub_that_breaks_off_is_an_error(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> str:
        raise ConnectionError("reset")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(AssetError, match="cannot fetch owner/set from the hub: reset"):
        HubFolder("owner/set", ["*"]).extract_to(tmp_path / "out")
