"""A model hub on this machine: what its real clients ask of the protocol, and what goes wrong."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".arrow", ".bin", ".msgpack", ".parquet", ".safetensors")
"""What the hub keeps beside the repository, by sha256, and serves from another address."""

RESOLVE = r"(?:/(datasets))?/([^/]+/[^/]+)/resolve/([^/]+)/(.+)"
"""Addresses of files: kind, repository, revision, path."""


@dataclass(frozen=True)
class File:
    """A file of a commit."""

    path: str
    content: bytes

    @property
    def large(self) -> bool:
        return self.path.endswith(LARGE)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_id(self) -> str:
        stored = self.content
        if self.large:
            stored = f"oid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()
        return hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()

    def entry(self) -> dict[str, Any]:
        """Itself in a listing."""
        found = {"type": "file", "path": self.path, "size": len(self.content), "oid": self.git_id}
        if self.large:
            kept = {"oid": self.sha256, "size": len(self.content), "pointerSize": 134}
            return {**found, "lfs": kept}
        return found


@dataclass
class Repository:
    """Commits by their hash, and the branches and pull requests that point to them."""

    name: str
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)

    def commit(self, revision: str) -> str | None:
        if revision in self.commits:
            return revision
        return self.references.get(revision)


@dataclass
class Hub:
    """A hub, and what was asked of it.

    Attributes:
        repositories: by kind ("models" or "datasets") and name.
        asked: method, path and range of every request, in order.
        cut: the end of a path: how many more downloads of it break off in the middle.
        altered: the end of a path of which other bytes are sent than the listing says.
    """

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    cut: dict[str, int] = field(default_factory=dict)
    altered: set[str] = field(default_factory=set)
    url: str = ""

    def publish(
        self,
        name: str,
        files: Path | Mapping[str, bytes],
        kind: str = "models",
        revision: str = "main",
    ) -> str:
        """Put the files of a directory, or those given, into a repository; return the commit."""
        if isinstance(files, Path):
            found = sorted(path for path in files.rglob("*") if path.is_file())
            files = {path.relative_to(files).as_posix(): path.read_bytes() for path in found}
        held = {path: File(path, content) for path, content in files.items()}
        repository = self.repositories.setdefault((kind, name), Repository(name))
        text = json.dumps([name, revision, *sorted((f.path, f.git_id) for f in held.values())])
        commit = hashlib.sha1(text.encode()).hexdigest()
        repository.commits[commit] = held
        repository.references[revision] = commit
        return commit

    def downloads(self, end: str) -> list[str | None]:
        """The range of every download of a file so far."""
        return [part for method, path, part in self.asked if method == "GET" and path.endswith(end)]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve a hub on a port of this machine as long as the block runs."""

    class Answer(_Answer):
        pass

    Answer.hub = hub
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(body)

    def _answer(self, body: bytes = b"") -> None:
        address = urlsplit(self.path)
        self.hub.asked.append((self.command, unquote(address.path), self.headers.get("Range")))
        if address.path == "/":
            return self._send(200, b"")
        if found := re.fullmatch(r"/large/(.+)", address.path):
            return self._large(unquote(found[1]))
        if found := re.fullmatch(
            r"(?:/(datasets))?/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", address.path
        ):
            kind = found[1] or "models"
            return self._file(kind, found[2], unquote(found[3]), unquote(found[4]))
        if found := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(/.*)?", address.path):
            return self._api(found[1], found[2], (found[3] or "").split("/")[1:], body)
        return self._missing("EntryNotFound")

    def _api(self, kind: str, name: str, rest: list[str], body: bytes) -> None:
        repository = self.hub.repositories.get((kind, name))
        if repository is None:
            return self._missing("RepoNotFound")
        verb, revision, *folder = [unquote(part) for part in rest] or ["revision", "main"]
        commit = repository.commit(revision)
        if commit is None:
            return self._missing("RevisionNotFound")
        files = repository.commits[commit]
        if verb == "revision":
            siblings = [{"rfilename": path} for path in files]
            told = {"id": name, "sha": commit, "siblings": siblings, "tags": [], "private": False}
            return self._json({**told, "disabled": False, "gated": False, "downloads": 0})
        if verb == "tree":
            recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0]
            listed = _tree(files, "/".join(folder), recursive.lower() in ("true", "1"))
            return self._json(listed) if listed else self._missing("EntryNotFound")
        if verb == "paths-info":
            asked = parse_qs(body.decode()).get("paths", [])
            if self.headers.get("Content-Type", "").startswith("application/json"):
                asked = json.loads(body)["paths"]
            folders = _folders(files)
            found = [files[path].entry() for path in asked if path in files]
            return self._json(found + [folders[path] for path in asked if path in folders])
        return self._missing("EntryNotFound")

    def _file(self, kind: str, name: str, revision: str, path: str) -> None:
        repository = self.hub.repositories.get((kind, name))
        if repository is None:
            return self._missing("RepoNotFound")
        commit = repository.commit(revision)
        if commit is None:
            return self._missing("RevisionNotFound")
        file = repository.commits[commit].get(path)
        headers = {"X-Repo-Commit": commit}
        if file is None:
            return self._missing("EntryNotFound", headers)
        if not file.large:
            return self._content(file, headers | {"ETag": f'"{file.git_id}"'})
        headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.content))}
        elsewhere = self.hub.url.replace("127.0.0.1", "localhost")  # as the hub's is another host
        headers["Location"] = f"{elsewhere}/large/{kind}/{name}/{commit}/{path}"
        return self._send(302, b"", headers)

    def _large(self, place: str) -> None:
        kind, owner, name, commit, path = place.split("/", 4)
        file = self.hub.repositories[kind, f"{owner}/{name}"].commits[commit][path]
        self._content(file, {"ETag": f'"{file.sha256}"'})

    def _content(self, file: File, headers: dict[str, str]) -> None:
        content = file.content
        if any(file.path.endswith(end) for end in self.hub.altered):
            content = bytes([content[0] ^ 1]) + content[1:]
        status, first, last = 200, 0, len(content) - 1
        if part := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            status, first = 206, int(part[1])
            last = min(int(part[2] or last), last)
            headers = {**headers, "Content-Range": f"bytes {first}-{last}/{len(content)}"}
        body = content[first : last + 1]
        broken = next((end for end, n in self.hub.cut.items() if n and file.path.endswith(end)), "")
        if self.command == "GET" and broken:
            self.hub.cut[broken] -= 1
            self._send(status, body, headers, sent=len(body) // 2)
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self._send(status, body, headers)

    def _json(self, answer: Any) -> None:
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _missing(self, code: str, headers: Mapping[str, str] | None = None) -> None:
        self._send(404, b"{}", {**(headers or {}), "X-Error-Code": code})

    def _send(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        sent: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])
            self.wfile.flush()


def _folders(files: Mapping[str, File]) -> dict[str, dict[str, Any]]:
    """The folders of a commit as they stand in a listing."""
    parents = {str(parent) for path in files for parent in Path(path).parents} - {"."}
    return {
        parent: {
            "type": "directory",
            "path": parent,
            "oid": hashlib.sha1(parent.encode()).hexdigest(),
            "size": 0,
        }
        for parent in parents
    }


def _tree(files: Mapping[str, File], folder: str, recursive: bool) -> list[dict[str, Any]]:
    entries = {path: file.entry() for path, file in files.items()} | _folders(files)
    below = f"{folder}/" if folder else ""
    return [
        entry
        for path, entry in sorted(entries.items())
        if path.startswith(below) and (recursive or "/" not in path[len(below) :])
    ]
