from __future__ import annotations

import http.server
import threading
import time

import pytest
from huggingface_hub import constants

from las.assets.hub import hub_reachable


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
