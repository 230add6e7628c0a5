"""A stand-in for ``ollama``: takes ``serve`` and OLLAMA_HOST, keeps one runner child.

FAKE_MODE, in words separated by commas:
    exit=N          print an error and exit with N at once
    exit-after=S    exit with 3, S seconds after the first connection
    slow=S          bind at once, answer after S seconds
    stubborn        ignore SIGTERM
    mute            accept connections, never answer
    other           answer, but not as Ollama does
    no-bind         run, but never listen
    wait-for=PATH   bind only when that file exists
    in-use-once=PATH    make that file, say that the port is taken, and exit; serve if it exists
    leave           exit with 0 at once
    no-runner       without the child
`GET /log/N` makes it write N MiB of log lines before it answers.
FAKE_NOTES is a file that gets one line of JSON per start: pid and runner's pid.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time


def main() -> int:
    words = os.environ.get("FAKE_MODE", "").split(",")
    mode = {name: value for name, _, value in (word.partition("=") for word in words)}
    if sys.argv[1:] != ["serve"]:
        print(f'Error: unknown command "{" ".join(sys.argv[1:])}" for "ollama"', file=sys.stderr)
        return 1
    if "exit" in mode:
        print("Error: the fake was told to fail", file=sys.stderr, flush=True)
        return int(mode["exit"])
    if "leave" in mode:
        return 0
    if "in-use-once" in mode and not os.path.exists(mode["in-use-once"]):
        with open(mode["in-use-once"], "w"):
            return in_use()
    while "no-bind" in mode or not os.path.exists(mode.get("wait-for", "/")):
        time.sleep(0.01)
    host, _, port = os.environ["OLLAMA_HOST"].rpartition(":")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError:
        return in_use()
    listener.listen(128)
    runner = 0
    if "no-runner" not in mode:
        runner = os.fork()
        if runner == 0:
            listener.close()
            while True:
                time.sleep(60)

    # Waited for: a handler would not run if the signal came just before the main thread blocks.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    notes = os.environ.get("FAKE_NOTES")
    if notes:
        with open(notes, "a") as file:
            file.write(json.dumps({"pid": os.getpid(), "runner": runner}) + "\n")
    print("Listening on", os.environ["OLLAMA_HOST"], flush=True)
    threading.Thread(target=accept, args=(listener, mode), daemon=True).start()
    while signal.sigwait({signal.SIGTERM}) and "stubborn" in mode:
        pass
    if runner:
        os.kill(runner, signal.SIGKILL)
    os._exit(0)


def accept(listener: socket.socket, mode: dict[str, str]) -> None:
    time.sleep(float(mode.get("slow", 0)))
    while True:
        connection, _ = listener.accept()
        if "exit-after" in mode:
            threading.Timer(float(mode["exit-after"]), os._exit, [3]).start()
        threading.Thread(target=serve, args=(connection, mode), daemon=True).start()


def in_use() -> int:
    print("Error: listen tcp: bind: address already in use", file=sys.stderr, flush=True)
    return 1


def serve(connection: socket.socket, mode: dict[str, str]) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        data = connection.recv(4096)
        if not data:
            return
        request += data
    if "mute" in mode:
        time.sleep(3600)
    if "other" in mode:
        kind, body = b"text/plain", b"hello"
    elif request.startswith(b"GET /api/version "):
        kind, body = b"application/json", b'{"version":"0.0.0-fake"}'
    elif request.startswith(b"GET / "):
        kind, body = b"text/plain", b"Ollama is running"
    elif request.startswith(b"GET /log/"):
        for _ in range(int(request.split()[1].rpartition(b"/")[2])):
            print(("x" * 1023 + "\n") * 1024, end="", flush=True)
        kind, body = b"text/plain", b"written"
    else:
        kind, body = b"text/plain", b"404 page not found"
    status = b"404 Not Found" if body.startswith(b"404") else b"200 OK"
    connection.sendall(
        b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
        % (status, kind, len(body), body)
    )
    connection.close()


if __name__ == "__main__":
    sys.exit(main())
