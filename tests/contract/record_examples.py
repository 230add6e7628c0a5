"""Record from a real Ollama server: spec/examples, and the answers the simulator is held to.

    OLLAMA_MANAGER_BINARY=/path/to/ollama python -m tests.contract.record_examples

Writes `spec/examples/*.json`, if the server is at least of the version that the spec describes,
and `tests/contract/answers/VERSION.json`. The program named by OLLAMA_MANAGER_BINARY, or else
`ollama` on the PATH, is started on a free port with a home and a models folder of its own and with
a proxy that leads nowhere, so that nothing is asked of ollama.com and no server or model of this
machine is touched. The models are made here, with random weights. Examples with
`"recorded": false` are written by hand and left alone. Needs Linux.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from ..live.tiny_model import write_tiny_model
from . import comparing, validating

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "spec" / "examples"
USER = [{"role": "user", "content": "Why is the sky blue?"}]
FEW = {"seed": 1, "num_predict": 5, "num_ctx": 512, "num_thread": 1}
COLOUR = {"type": "object", "properties": {"blue": {"type": "boolean"}}, "required": ["blue"]}


class Recorder:
    """Sends requests to one server and writes what they are answered."""

    def __init__(self, http: httpx.Client, scrub: dict[str, str]) -> None:
        self.http = http
        self.scrub = scrub
        self.version: str = http.get("/api/version").json()["version"]

    def __call__(
        self, name: str, method: str, path: str, body: Any = None, *, content: bytes | None = None
    ) -> None:
        """Send one request and write `name`.json."""
        if content is None:
            response = self.http.request(method, path, json=body)
        else:
            response = self.http.request(method, path, content=content)
        self.write(name, response.request, body, response, response.content)

    def write(
        self, name: str, request: httpx.Request, body: Any, response: httpx.Response, raw: bytes
    ) -> None:
        """Write one example."""
        said: dict[str, Any] = {"method": request.method, "path": request.url.path, "body": body}
        if request.headers.get("content-type") is None and request.content:
            said["body_base64"] = base64.b64encode(request.content).decode()
        kind = response.headers.get("content-type", "").partition(";")[0] or None
        heard: dict[str, Any] = {"status": response.status_code, "content_type": kind}
        if kind == "application/x-ndjson":
            heard["lines"] = [json.loads(line) for line in raw.split(b"\n") if line]
        elif kind == "application/json" and raw:
            heard["body"] = json.loads(raw)
        else:
            heard["body"] = raw.decode() or None
        example = {"recorded": True, "server": self.version, "request": said, "response": heard}
        text = json.dumps(example, indent=2, ensure_ascii=False)
        text = re.sub(r"\[\n[-\d.,eE+\s]+\]", lambda m: " ".join(m[0].split()), text)
        for private, public in self.scrub.items():
            text = text.replace(private, public)
        (EXAMPLES / f"{name}.json").write_text(text + "\n", encoding="utf-8")

    def upload(self, path: Path) -> str:
        """Upload a file and return its digest."""
        data = path.read_bytes()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.http.post(f"/api/blobs/{digest}", content=data).raise_for_status()
        return digest


def record(
    r: Recorder, server: subprocess.Popen[bytes], models: Path, chat: Path, embed: Path
) -> None:
    """Record every example, in an order in which each finds what it needs."""
    record_server(r)
    record_making(r, chat, embed)
    record_inference(r)
    record_broken_stream(r, server)
    record_moving(r, models)
    record_cloud(r)


def record_server(r: Recorder) -> None:
    r("root", "GET", "/")
    r("root_head", "HEAD", "/")
    r("version", "GET", "/api/version")
    r("version_head", "HEAD", "/api/version")
    r("cloud_status", "GET", "/api/status")


def record_making(r: Recorder, chat: Path, embed: Path) -> None:
    hello = f"sha256:{hashlib.sha256(b'hello').hexdigest()}"
    r("blob_exists.error-404", "HEAD", f"/api/blobs/{hello}")
    r("create_blob.error-400", "POST", f"/api/blobs/{hello}", content=b"good bye")
    r("create_blob", "POST", f"/api/blobs/{hello}", content=b"hello")
    r("create_blob.known", "POST", f"/api/blobs/{hello}", content=b"hello")
    r("blob_exists", "HEAD", f"/api/blobs/{hello}")

    files = {"tiny.gguf": r.upload(chat)}
    r("create_model", "POST", "/api/create", {"model": "tiny", "files": files})
    files = {"tiny-embed.gguf": r.upload(embed)}
    r.http.post("/api/create", json={"model": "tiny-embed", "files": files}).raise_for_status()
    derived = {
        "model": "painter",
        "from": "tiny",
        "system": "You name colours.",
        "license": ["None."],
        "parameters": {"temperature": 0.5, "stop": ["\n"]},
        "messages": [
            {"role": "user", "content": "Grass?"},
            {"role": "assistant", "content": "Green."},
        ],
        "stream": False,
    }
    r("create_model.whole", "POST", "/api/create", derived)
    r("create_model.error-400", "POST", "/api/create", {"model": "nothing"})

    r("list_models", "GET", "/api/tags")
    r("list_models_head", "HEAD", "/api/tags")
    r("show_model", "POST", "/api/show", {"model": "painter"})
    r("show_model.error-404", "POST", "/api/show", {"model": "missing"})
    r("show_model.error-400", "POST", "/api/show", {"model": "not a name"})
    r("copy_model", "POST", "/api/copy", {"source": "painter", "destination": "painter:copy"})
    r("copy_model.error-404", "POST", "/api/copy", {"source": "missing", "destination": "copy"})
    r("copy_model.error-400", "POST", "/api/copy", {"source": "", "destination": "copy"})
    r("delete_model", "DELETE", "/api/delete", {"model": "painter:copy"})
    r("delete_model.error-404", "DELETE", "/api/delete", {"model": "painter:copy"})


def record_inference(r: Recorder) -> None:
    talk: dict[str, Any] = {"model": "tiny", "messages": USER, "options": FEW}
    r("chat.load", "POST", "/api/chat", {"model": "tiny", "messages": [], "options": FEW})
    r("chat", "POST", "/api/chat", {**talk, "stream": False})
    r("chat.stream", "POST", "/api/chat", talk)
    r(
        "chat.logprobs",
        "POST",
        "/api/chat",
        {**talk, "stream": False, "logprobs": True, "top_logprobs": 2},
    )
    whole = {**talk, "stream": False, "options": {**FEW, "num_predict": 60}}
    r("chat.format", "POST", "/api/chat", {**whole, "format": COLOUR})
    r("chat.rendered", "POST", "/api/chat", {**talk, "stream": False, "_debug_render_only": True})
    r("chat.error-404", "POST", "/api/chat", {**talk, "model": "missing"})
    r("chat.error-400", "POST", "/api/chat", {**talk, "think": True})
    r("chat.error-500", "POST", "/api/chat", {**talk, "options": {"temperature": "hot"}})

    text: dict[str, Any] = {"model": "tiny", "prompt": "The sky is", "options": FEW}
    r("generate", "POST", "/api/generate", {**text, "stream": False})
    r("generate.stream", "POST", "/api/generate", text)
    r("generate.error-404", "POST", "/api/generate", {**text, "model": "missing"})
    r("list_running", "GET", "/api/ps")
    r("chat.unload", "POST", "/api/chat", {"model": "tiny", "messages": [], "keep_alive": 0})

    r(
        "embed",
        "POST",
        "/api/embed",
        {"model": "tiny-embed", "input": ["sky", "sea"], "options": FEW},
    )
    r("embed.error-501", "POST", "/api/embed", {"model": "tiny", "input": "sky", "options": FEW})
    r("embed.error-404", "POST", "/api/embed", {"model": "missing", "input": "sky"})
    r(
        "embeddings",
        "POST",
        "/api/embeddings",
        {"model": "tiny-embed", "prompt": "sky", "options": FEW},
    )
    r("embeddings.error-404", "POST", "/api/embeddings", {"model": "missing", "prompt": "sky"})


def record_broken_stream(r: Recorder, server: subprocess.Popen[bytes]) -> None:
    """Record a stream whose runner dies, shortened to its first and last two lines."""
    r.http.post("/api/generate", json={"model": "tiny-embed", "keep_alive": 0})
    body = {"model": "tiny", "messages": USER, "options": {**FEW, "num_predict": 100_000}}
    with r.http.stream("POST", "/api/chat", json=body) as response:
        raw = b""
        for piece in response.iter_raw():
            if not raw:
                for child in children(server.pid):
                    os.kill(child, signal.SIGKILL)
            raw += piece
        lines = raw.split(b"\n")[:-1]
        r.write(
            "chat.error-line", response.request, body, response, b"\n".join([lines[0], *lines[-2:]])
        )


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def record_moving(r: Recorder, models: Path) -> None:
    """Record pull and push against a registry on this machine that has the model `tiny`."""
    shop = models.parent / "registry"
    shutil.copytree(models, shop)
    with registry(shop) as port:
        r.scrub[f"127.0.0.1:{port}"] = "127.0.0.1:5000"
        home = f"127.0.0.1:{port}/library"
        for name in ("tiny", "tiny-embed", "painter"):
            r.http.request("DELETE", "/api/delete", json={"model": name}).raise_for_status()
        r("pull_model", "POST", "/api/pull", {"model": f"{home}/tiny", "insecure": True})
        again = {"model": f"{home}/tiny", "insecure": True, "stream": False}
        r("pull_model.whole", "POST", "/api/pull", again)
        missing = {"model": f"{home}/missing", "insecure": True}
        r("pull_model.error-line", "POST", "/api/pull", missing)
        r("pull_model.error-500", "POST", "/api/pull", {**missing, "stream": False})
        r("push_model", "POST", "/api/push", {"model": f"{home}/tiny", "insecure": True})
        r("push_model.error-line", "POST", "/api/push", missing)


@contextlib.contextmanager
def registry(root: Path) -> Iterator[int]:
    """Serve a models folder as a registry that takes every manifest; the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            _, _, owner, name, kind, reference = self.path.split("/")
            file = root / "blobs" / reference.replace(":", "-")
            if kind == "manifests":
                file = root / "manifests/registry.ollama.ai" / owner / name / reference
            if not file.is_file():
                self.answer(404, b"{}")
                return
            data = file.read_bytes()
            # Ollama wants to be told where a blob is even by the server that has it.
            part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if part:
                self.answer(206, data[int(part[1]) : int(part[2]) + 1])
            else:
                self.answer(200, data)

        do_HEAD = do_GET  # noqa: N815

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(201, b"")

        def answer(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Location", self.path)
            self.end_headers()
            if self.command == "HEAD":
                return
            for start in range(0, len(data), 64 * 1024):
                self.wfile.write(data[start : start + 64 * 1024])
                time.sleep(0.05)  # Ollama reports no progress of what takes less than 60 ms

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing: Ollama closes connections as it likes."""

    with Server(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield httpd.server_address[1]
        httpd.shutdown()


def record_cloud(r: Recorder) -> None:
    r("model_recommendations", "GET", "/api/experimental/model-recommendations")
    r(
        "web_search.error-502",
        "POST",
        "/api/experimental/web_search",
        {"query": "sky", "max_results": 2},
    )
    r("web_fetch.error-502", "POST", "/api/experimental/web_fetch", {"url": "https://example.com"})
    r("whoami.error-503", "POST", "/api/me")
    r("signout.error-500", "POST", "/api/signout")
    r("delete_user_key.error-500", "DELETE", "/api/user/keys/c3NoLWVkMjU1MTk")


@contextlib.contextmanager
def private_server(binary: str, home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a server that shares nothing with this machine's; the process and its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OLLAMA_HOST": host,
        "OLLAMA_MODELS": str(home / "models"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen([binary, "serve"], env=env, cwd=home, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while server.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://{host}", trust_env=False)
                break
            time.sleep(0.05)
        yield server, f"http://{host}"
    finally:
        server.terminate()
        server.wait(30)


def record_answers(binary: str, chat: Path, embed: Path) -> str:
    """Record the answers to the list of requests, from a fresh server; its version."""
    with tempfile.TemporaryDirectory() as home, private_server(binary, Path(home)) as (_, url):
        make_models(url, chat, embed)
        version: str = httpx.get(f"{url}/api/version", trust_env=False).json()["version"]
        unsent = comparing.UNSENT.get(version, {})
        comparing.write(version, comparing.answers_of(url, unsent))
        return version


def make_models(url: str, chat: Path, embed: Path) -> None:
    """Make the models that the list of requests is about."""
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as http:
        for name, path in {"tiny": chat, "tiny-embed": embed}.items():
            data = path.read_bytes()
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            http.post(f"/api/blobs/{digest}", content=data).raise_for_status()
            body = {"model": name, "files": {path.name: digest}, "stream": False}
            http.post("/api/create", json=body).raise_for_status()


def record_examples(binary: str, chat: Path, embed: Path) -> None:
    """Record every example."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        with (
            private_server(binary, home) as (server, url),
            httpx.Client(base_url=url, timeout=120, trust_env=False) as http,
        ):
            scrub = {
                str(home): "/home/user",
                socket.gethostname(): "host",
                url[7:]: "127.0.0.1:11434",
            }
            record(Recorder(http, scrub), server, home / "models", chat, embed)


def is_older(version: str, other: str) -> bool:
    """Whether a release came before another; candidates of a release count as it."""
    first, second = (re.findall(r"\d+", text)[:3] for text in (version, other))
    return list(map(int, first)) < list(map(int, second))


def main() -> None:
    binary = os.environ.get("OLLAMA_MANAGER_BINARY") or shutil.which("ollama")
    if binary is None:
        sys.exit("no `ollama` program: set OLLAMA_MANAGER_BINARY")
    with tempfile.TemporaryDirectory() as models:
        chat = write_tiny_model(Path(models) / "tiny.gguf")
        embed = write_tiny_model(Path(models) / "tiny-embed.gguf", embeds=True)
        version = record_answers(binary, chat, embed)
        print(f"recorded tests/contract/answers/{version}.json")
        described = validating.spec()["info"]["version"]
        if is_older(version, described):
            print(f"left spec/examples alone: the spec describes {described}, which is newer")
            return
        record_examples(binary, chat, embed)
        print(f"recorded spec/examples; the spec has to say `version: {version}`")


if __name__ == "__main__":
    main()
