"""The log of a running server: bounded, private, and no way for a full disk to stop the server."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manager.supervisor.settings import LivenessPolicy

if TYPE_CHECKING:
    from tests.process.conftest import World

DEADLINE = 20.0

# In a mount namespace of its own: nothing of it is left behind.
IN_SMALL_DISK = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'

MANAGER = """
import json, os, sys, urllib.request
from manager.supervisor.link import SupervisorLink
from manager.supervisor.settings import ServerSettings
settings = ServerSettings.from_dict(json.loads(sys.argv[1]))

def fill():
    for size in (65536, 1):
        try:
            with open(os.path.join(settings.log_dir, "fill"), "ab", buffering=0) as file:
                while True:
                    file.write(b"z" * size)
        except OSError:
            pass

if sys.argv[2] == "before":
    fill()
link = SupervisorLink(settings)
snapshot = link.acquire().result(30)
if sys.argv[2] == "after":
    fill()
url = f"http://127.0.0.1:{settings.port}/log/6"
print(json.dumps({
    "answer": urllib.request.urlopen(url, timeout=20).read().decode(),
    "cause": snapshot.cause, "log": link.log(3).result(20),
    "size": os.path.getsize(snapshot.log_path),
}))
link.close().result(20)
"""


def on_a_small_disk(world: World, when: str) -> dict[str, str]:
    if shutil.which("unshare") is None:
        pytest.skip("needs `unshare` to mount a small disk")
    disk = world.folder / "disk"
    disk.mkdir()
    settings = json.dumps(world.settings(log_dir=str(disk)).to_dict())
    words = ["unshare", "-rm", "sh", "-c", IN_SMALL_DISK, "sh", "16m", str(disk)]
    if subprocess.run([*words, "true"], capture_output=True).returncode != 0:
        pytest.skip("may not mount a small disk")
    done = subprocess.run(
        [*words, sys.executable, "-c", MANAGER, settings, when],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, str] = json.loads(done.stdout)
    assert result["answer"] == "written"
    return result


def test_disk_that_fills_up_does_not_stop_the_log(world: World) -> None:
    seen = on_a_small_disk(world, "after")
    assert seen["cause"] is None
    assert int(seen["size"]) > 6 << 20, "there was room for it"
    assert seen["log"][-1] == "x" * 1023


def test_disk_that_is_full_means_no_log(world: World) -> None:
    seen = on_a_small_disk(world, "before")
    assert "it has no log" in seen["cause"]
    assert seen["log"] == []


def test_log_is_rotated_while_the_server_runs(world: World) -> None:
    link, snapshot = world.ready(liveness=LivenessPolicy(interval=0.1))
    treasure = world.folder / "treasure"
    treasure.write_text("mine")
    log = Path(snapshot.log_path or "")
    old = Path(f"{log}.1")
    old.symlink_to(treasure)
    url = f"http://127.0.0.1:{world.port}/log/9"
    for _ in range(2):
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            assert answer.read() == b"written"
        world.eventually(lambda: log.stat().st_size < 1 << 20)
        assert not old.is_symlink()
        assert 8 << 20 < old.stat().st_size < 10 << 20
    assert treasure.read_text() == "mine"
    for path in (log, old):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert link.snapshot.pid == snapshot.pid
