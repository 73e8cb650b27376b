"""A Hub on this machine: serves folders as repositories to the real client."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlparse

COMMIT = "a" * 40


@dataclass
class HubServer:
    """Repositories by id, those that are gated, and the paths of the files that were downloaded."""

    repositories: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    downloads: list[str] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address, while the server runs."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def do_GET(self) -> None:
                hub.answer(self, body=True)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        parts = urlparse(request.path).path.strip("/").split("/")
        listing = parts[:2] == ["api", "models"]
        owner, name, *rest = parts[2:] if listing else parts
        folder = self.repositories.get(f"{owner}/{name}")
        if folder is None:
            return _refuse(request, 404, "RepoNotFound")
        if f"{owner}/{name}" in self.gated:
            return _refuse(request, 403, "GatedRepo")
        if len(rest) > 1 and rest[1] not in ("main", COMMIT):
            return _refuse(request, 404, "RevisionNotFound")
        if not listing:
            path = folder.joinpath(*rest[2:])
            if not path.is_file():
                return _refuse(request, 404, "EntryNotFound")
            if body:
                self.downloads.append(path.name)
            return _send(request, path.read_bytes() if body else b"", path)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        names = [str(path.relative_to(folder)) for path in files]
        if rest[:1] == ["tree"]:
            answer: object = [
                {"type": "file", "path": name, "size": path.stat().st_size, "oid": _digest(path)}
                for name, path in zip(names, files, strict=True)
            ]
        else:
            siblings = [{"rfilename": name} for name in names]
            answer = {"_id": "1", "id": f"{owner}/{name}", "sha": COMMIT, "siblings": siblings, "tags": []}
        return _send(request, json.dumps(answer).encode())


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


def _send(request: BaseHTTPRequestHandler, content: bytes, path: Path | None = None) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(path.stat().st_size if path else len(content)))
    if path:
        request.send_header("ETag", f'"{_digest(path)}"')
        request.send_header("X-Repo-Commit", COMMIT)
    request.end_headers()
    request.wfile.write(content)


def _refuse(request: BaseHTTPRequestHandler, status: int, code: str) -> None:
    request.send_response(status)
    request.send_header("X-Error-Code", code)
    request.send_header("Content-Length", "0")
    request.end_headers()
