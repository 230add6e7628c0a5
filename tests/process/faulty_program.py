"""A server program with a fault: ``faulty_program.py FAULT PROGRAM... serve``.

exit          print an error and exit with 7 at once
slow=S        start the program after S seconds
mute          accept connections, never answer
other         answer, but not as Ollama does
stubborn      run the program, but ignore SIGTERM
crash=S       run the program, and die S seconds after it begins to listen
poison        run the program behind a proxy that dies, with it, of a request that says POISON
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

POISON = b"POISON"


def main() -> None:
    fault, _, value = sys.argv[1].partition("=")
    program = sys.argv[2:]
    if fault == "exit":
        print("Error: told to fail", file=sys.stderr, flush=True)
        sys.exit(7)
    elif fault == "slow":
        time.sleep(float(value))
        os.execvp(program[0], program)
    elif fault == "mute":
        hold(b"")
    elif fault == "other":
        hold(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    elif fault == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(subprocess.Popen(program).wait())
    elif fault == "crash":
        subprocess.Popen(program)
        while not listens():
            time.sleep(0.01)
        time.sleep(float(value))
        os._exit(3)
    elif fault == "poison":
        proxy(program)


def address() -> tuple[str, int]:
    host, _, port = os.environ["OLLAMA_HOST"].rpartition(":")
    return host.rpartition("/")[2], int(port)


def listen() -> socket.socket:
    return socket.create_server(address())


def listens() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address()) == 0


def hold(answer: bytes) -> None:
    """Take connections, and give each the same answer, or none."""
    listener, taken = listen(), []
    while True:
        connection, _ = listener.accept()
        taken.append(connection)
        if answer:
            connection.recv(65536)
            connection.sendall(answer)
            connection.close()


def proxy(program: list[str]) -> None:
    """Pass everything on to the program at another port."""
    listener = listen()
    kept = socket.socket()  # bound, so that nobody else gets the port
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    behind = kept.getsockname()
    subprocess.Popen(program, env={**os.environ, "OLLAMA_HOST": "{}:{}".format(*behind)})
    while True:
        client, _ = listener.accept()
        try:
            server = socket.create_connection(behind)
        except ConnectionRefusedError:  # it is not there yet
            client.close()
            continue
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=pass_on, args=(source, target), daemon=True).start()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if POISON in data:
                os.kill(os.getpid(), signal.SIGKILL)
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main()
