"""Leave streams early, with plain sockets, until a server stays busy: `HOST:PORT MODEL [ROUNDS]`.

Uses nothing of this package, to tell the server's faults from ours. Start the server with
``OLLAMA_NUM_PARALLEL=1`` (its default) and use a small, fast model.
"""

from __future__ import annotations

import json
import socket
import sys
import urllib.request

PATIENCE = 15.0
ENDLESS = {"num_predict": -1, "num_ctx": 4096}


def body(model: str, **fields: object) -> bytes:
    messages = [{"role": "user", "content": "hi"}]
    return json.dumps({"model": model, "messages": messages, **fields}).encode()


def leave_a_stream(host: str, port: int, model: str) -> None:
    """Ask for an endless stream, read a little of it, and close the connection."""
    content = body(model, stream=True, options=ENDLESS)
    head = f"POST /api/chat HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(content)}\r\n\r\n"
    with socket.create_connection((host, port), PATIENCE) as connection:
        connection.sendall(head.encode() + content)
        connection.recv(65536)
        connection.recv(65536)
        connection.shutdown(socket.SHUT_RDWR)


def is_free(host: str, port: int, model: str) -> bool:
    """Ask for one token; a server whose slot is taken does not answer."""
    content = body(model, stream=False, options={**ENDLESS, "num_predict": 1})
    try:
        urllib.request.urlopen(f"http://{host}:{port}/api/chat", content, PATIENCE).read()
    except TimeoutError:
        return False
    return True


def main(address: str, model: str, rounds: str = "500") -> str:
    host, _, port = address.rpartition(":")
    assert is_free(host, int(port), model), "the server is busy already"
    for number in range(1, int(rounds) + 1):
        leave_a_stream(host, int(port), model)
        if not is_free(host, int(port), model):
            return f"busy for more than {PATIENCE:g} s after {number} abandoned streams"
    return f"free after each of {rounds} abandoned streams"


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
