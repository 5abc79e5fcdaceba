"""A server on this machine that speaks as much of W&B's protocol as a run needs to start."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from typing import Any, ClassVar

_BUCKET = {
    "id": "1",
    "name": "run",
    "displayName": "run",
    "description": None,
    "config": "{}",
    "sweepName": None,
    "historyLineCount": 0,
    "project": {"id": "2", "name": "las", "entity": {"id": "3", "name": "me"}},
}
_VIEWER = {"id": "4", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}


class WandbServer:
    """Answers until it is told to break off.

    Attributes:
        url: its address.
    """

    def __init__(self) -> None:
        handler = type("Handler", (_Handler,), {"falls_silent": threading.Event()})
        self._silence = handler.falls_silent
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fall_silent(self) -> None:
        """Take requests and never answer them."""
        self._silence.set()

    def close(self) -> None:
        """Refuse connections."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    falls_silent: ClassVar[threading.Event]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.falls_silent.is_set():
            threading.Event().wait()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        answer = _answer(json.loads(body)["query"]) if self.path.endswith("graphql") else {}
        content = json.dumps(answer).encode()
        self.send_response(503 if answer is None else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def _answer(query: str) -> dict[str, Any] | None:
    """What a run asks as it starts; None for what it sends later, which it then tries again."""
    if "upsertBucket" in query:
        return {"data": {"upsertBucket": {"bucket": _BUCKET, "inserted": True}}}
    if "query ArtifactType" in query:
        return {"data": {"project": None}}
    if "mutation" in query:
        return None
    return {"data": {"viewer": _VIEWER} if "viewer" in query else {}}
