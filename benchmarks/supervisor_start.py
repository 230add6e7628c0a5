"""What the supervisor costs: start to the first HTTP 200, with it and without; join; crash; close.

    python benchmarks/supervisor_start.py [--rounds N] PROGRAM [ARGUMENT ...]

Starts and stops PROGRAM (an `ollama`, or `python -m manager.simulator`) on private free ports.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from manager.supervisor.link import SupervisorLink
from manager.supervisor.probe import Verdict, probe_now
from manager.supervisor.settings import ServerSettings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alone(words: list[str], environ: dict[str, str]) -> float:
    """Seconds from spawn to the first 200 of a server that nobody supervises."""
    port = free_port()
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*words, "serve"],
        env={**os.environ, **environ, "OLLAMA_HOST": f"127.0.0.1:{port}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while probe_now("127.0.0.1", port, 10.0)[0] is not Verdict.OLLAMA:
        time.sleep(0.002)
    taken = time.perf_counter() - begun
    process.terminate()
    process.wait()
    return taken


def managed(words: list[str], environ: dict[str, str], folder: str) -> dict[str, float]:
    """Seconds of each step of a managed life."""
    port = free_port()
    settings = ServerSettings(
        port=port,
        base_url=f"http://127.0.0.1:{port}",
        binary=tuple(words),
        env=environ,
        log_dir=folder,
    )
    crashed, back = threading.Event(), threading.Event()

    def changed(snapshot: object) -> None:
        event = getattr(snapshot, "event", None)
        if event == "server.crashed":
            crashed.set()
        elif event == "server.ready" and crashed.is_set():
            back.set()

    link = SupervisorLink(settings, on_change=changed)
    begun = time.perf_counter()
    snapshot = link.acquire().result(60)
    taken = {"start": time.perf_counter() - begun}
    other = SupervisorLink(settings)
    begun = time.perf_counter()
    other.acquire().result(60)
    taken["join"] = time.perf_counter() - begun
    other.close().result(60)
    time.sleep(1.05)  # an earlier death would count as a failed start
    assert snapshot.pid is not None
    begun = time.perf_counter()
    os.kill(snapshot.pid, signal.SIGKILL)
    crashed.wait(60)
    taken["crash noticed"] = time.perf_counter() - begun
    back.wait(60)
    taken["ready again"] = time.perf_counter() - begun
    begun = time.perf_counter()
    link.close().result(60)
    taken["last close"] = time.perf_counter() - begun
    return taken


def main() -> None:
    words = sys.argv[1:]
    rounds = 15
    if words[:1] == ["--rounds"]:
        rounds, words = int(words[1]), words[2:]
    with tempfile.TemporaryDirectory() as folder:
        environ = {"OLLAMA_MODELS": os.path.join(folder, "models")}
        taken: dict[str, list[float]] = {}
        managed(words, environ, folder)  # compiles what is not compiled yet
        for _ in range(rounds):
            taken.setdefault("alone", []).append(alone(words, environ))
            for step, seconds in managed(words, environ, folder).items():
                taken.setdefault(step, []).append(seconds)
    for step, values in taken.items():
        middle, worst = statistics.median(values) * 1e3, max(values) * 1e3
        print(f"{step:15} median {middle:7.1f} ms   worst {worst:7.1f} ms")
    own = statistics.median(taken["start"]) - statistics.median(taken["alone"])
    print(f"own overhead of a cold start: {own * 1e3:.1f} ms (median of {rounds})")


if __name__ == "__main__":
    main()
