"""Starting a supervisor that outlives its starter and holds nothing of it."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from pathlib import Path

from manager.errors import ServerStartError

__all__ = ["spawn_supervisor"]

_TIMEOUT = 10.0

# The fork comes first, while the child is still small: its parent, our child, ends at once and
# leaves no zombie behind. The bare module in the place of ``manager`` spares the
# supervisor what the package itself imports.
_BOOT = (
    "import os, sys\n"
    "if os.fork(): os._exit(0)\n"
    "manager = sys.modules['manager'] = type(sys)('manager')\n"
    "manager.__path__ = [sys.argv[1]]\n"
    "from manager.supervisor.__main__ import main\n"
    "sys.exit(main(sys.argv[2], int(sys.argv[3])))\n"
)


def spawn_supervisor(host: str, port: int) -> None:
    """Start a supervisor for an address and wait until it listens.

    It runs in a session of its own, in ``/``, with no descriptor of ours: an inherited stdout
    would keep ``$(...)`` in a shell waiting. It is isolated from the program's Python path and
    ``site``, which also makes it quick. That another was there first is no error.

    Args:
        host: Where the server listens.
        port: Its port.

    Raises:
        ServerStartError: When it did not come up; says what it said.
    """
    package = str(Path(__file__).resolve().parents[1])
    words = [sys.executable, "-I", "-S", "-c", _BOOT, package, host, str(port)]
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            close_fds=True,
        )
    except OSError as error:
        raise _failure(f"{sys.executable!r}: {error.strerror}") from error
    assert process.stdout is not None
    with process.stdout as report:
        said = _read_report(report.fileno())
    process.wait()
    if not said.startswith((b"listening\n", b"taken\n")):
        lines = said.decode("utf-8", "replace").strip().splitlines()
        raise _failure(lines[-1] if lines else "it said nothing")


def _read_report(fd: int) -> bytes:
    said = b""
    deadline = time.monotonic() + _TIMEOUT
    with selectors.DefaultSelector() as selector:  # eventlet leaves no other way to wait
        selector.register(fd, selectors.EVENT_READ)
        while not said.startswith((b"listening\n", b"taken\n")):
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                break
            data = os.read(fd, 65536)
            if not data:
                break
            said += data
    return said


def _failure(reason: str) -> ServerStartError:
    return ServerStartError(
        f"the supervisor of the Ollama server did not start: {reason}",
        hint="It needs the Python that runs this program, as a file that can be executed.",
        code="supervisor_failed",
    )
