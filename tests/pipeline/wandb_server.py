"""A server on this machine that speaks as much of W&B's protocol as a run needs to start.

Once it is told to keep, also as much as `wandb sync` needs to send one.
"""

from __future__ import annotations

import gzip
import http.server
import json
import threading
import urllib.parse
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
_UPLOADS = "/uploads/"
_VIEWER = {"id": "4", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}


class WandbServer:
    """Answers until it is told to break off.

    Arguments:
        keeps: whether it takes what is sent to it; otherwise a run can start, and no more.

    Attributes:
        url: its address.
        runs: what was said of each run, by its id.
        files: the files of the runs, by their name.
        artifacts: names of the artifacts that were offered.
    """

    def __init__(self, keeps: bool = False) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.artifacts: set[str] = set()
        silence = threading.Event()
        handler = type("Handler", (_Handler,), {"falls_silent": silence, "server_of": self})
        self.keeps = keeps
        self._silence = silence
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
    server_of: ClassVar[WandbServer]

    def do_PUT(self) -> None:
        name = urllib.parse.unquote(self.path.removeprefix(_UPLOADS))
        self.server_of.files[name] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.falls_silent.is_set():
            threading.Event().wait()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        answer: dict[str, Any] | None = {}
        if self.path.endswith("graphql"):
            asked = json.loads(body)
            keeps = self.server_of.keeps
            answer = _kept(self.server_of, asked) if keeps else None
            answer = answer or _answer(asked["query"])
        content = json.dumps(answer).encode()
        self.send_response(503 if answer is None else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def _kept(server: WandbServer, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Keep what is said, and answer; None for what `_answer` answers."""
    query, given = asked["query"], asked.get("variables", {})
    if "upsertBucket" in query:
        told = {name: value for name, value in given.items() if value}
        server.runs.setdefault(given["name"], {}).update(told)
        bucket = {**_BUCKET, "name": given["name"]}
        return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}
    elif "createRunFiles" in query:
        files = [
            {"name": name, "uploadUrl": f"{server.url}{_UPLOADS}{urllib.parse.quote(name)}"}
            for name in given["files"]
        ]
        return {"data": {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}}
    elif "createArtifact(" in query:
        server.artifacts.add(given["input"]["artifactCollectionName"])
        return {"errors": [{"message": "artifacts are not kept here"}]}
    return None


def _answer(query: str) -> dict[str, Any] | None:
    """What a run asks as it starts; None for what it sends later, which it then tries again."""
    if "upsertBucket" in query:
        return {"data": {"upsertBucket": {"bucket": _BUCKET, "inserted": True}}}
    if "query ArtifactType" in query:
        return {"data": {"project": None}}
    if "mutation" in query:
        return None
    return {"data": {"viewer": _VIEWER} if "viewer" in query else {}}
