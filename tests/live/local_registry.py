"""A registry of models on this machine, for pulls and pushes that are real but need no network."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LocalRegistry", "local_registry"]

_PIECE = 64 * 1024
_PIECE_SECONDS = 0.02  # Ollama reports no progress of what takes no time


class LocalRegistry:
    """What was pushed: manifests by ``owner/name:tag``, blobs by digest."""

    def __init__(self) -> None:
        self.host = ""
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}

    def name_of(self, model: str) -> str:
        """Return the name by which Ollama pulls and pushes a model here."""
        return f"{self.host}/library/{model}"


@contextlib.contextmanager
def local_registry() -> Iterator[LocalRegistry]:
    """Run an empty registry on a free port of the loopback address."""
    registry = LocalRegistry()
    uploads: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            _, _, owner, name, kind, reference = self.path.split("/")
            if kind == "manifests":
                found = registry.manifests.get(f"{owner}/{name}:{reference}")
            else:
                found = registry.blobs.get(reference)
            if found is None:
                self.answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
            elif part := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
                self.answer(206, found[int(part[1]) : int(part[2]) + 1])
            else:
                self.answer(200, found)

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            self.body()
            upload = f"/upload/{len(uploads)}"
            uploads[upload] = b""
            self.answer(202, location=f"http://{registry.host}{upload}")

        def do_PATCH(self) -> None:
            uploads[self.path] += self.body()
            self.answer(202, location=f"http://{registry.host}{self.path}")

        def do_PUT(self) -> None:
            data = self.body()
            if self.path.startswith("/upload/"):
                blob = uploads.pop(self.path.partition("?")[0])
                registry.blobs[f"sha256:{hashlib.sha256(blob).hexdigest()}"] = blob
            else:
                _, _, owner, name, _, tag = self.path.split("/")
                registry.manifests[f"{owner}/{name}:{tag}"] = data
            self.answer(201)

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def answer(self, status: int, data: bytes = b"", location: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            # Ollama wants to be told where a blob is, even by the server that has it.
            self.send_header("Location", location or self.path)
            self.end_headers()
            if self.command == "HEAD":
                return
            for start in range(0, len(data), _PIECE):
                self.wfile.write(data[start : start + _PIECE])
                time.sleep(_PIECE_SECONDS)

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing: Ollama closes connections as it likes."""

    with Server(("127.0.0.1", 0), Handler) as server:
        registry.host = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield registry
        server.shutdown()
        thread.join()
