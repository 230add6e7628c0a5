"""Starting a supervisor that outlives its starter and holds nothing of it."""

from __future__ import annotations

import os
from pathlib import Path

from manager.errors import ServerStartError
from manager.supervisor.frozen import SPAWNED, entry_environ, entry_words
from manager.supervisor.interpreter import find_python, frozen_program
from manager.supervisor.reporting import heard, start_and_hear

__all__ = ["spawn_supervisor"]

# A machine that is busy or reads Python from a cold network file system takes seconds. What has
# not come up by then is killed, so there must be room.
_TIMEOUT = 30.0
_FROZEN_TIMEOUT = 120.0  # a program in one file is unpacked first, all of it
_WORDS = (b"listening\n", b"taken\n")

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

# A frozen program must not fork: PyInstaller and Nuitka delete the files of a program in one file
# as soon as the process that they started ends. So a shell starts it, and ends at once.
_IN_BACKGROUND = ("/bin/sh", "-c", '"$@" &', "sh")


def spawn_supervisor(host: str, port: int) -> None:
    """Start a supervisor for an address and wait until it listens.

    It runs in a session of its own, in ``/``, with no descriptor of ours: an inherited stdout
    would keep ``$(...)`` in a shell waiting. It is isolated from the program's Python path and
    ``site``, which also makes it quick. That another was there first is no error.

    Args:
        host: Where the server listens.
        port: Its port.

    Raises:
        ServerStartError: When there is no Python for it, or when it did not come up; says what
            it said.
    """
    if SPAWNED in os.environ:
        raise frozen_program(
            "this process was started to be the supervisor of an Ollama server, but runs another "
            "program, which may not start one"
        )
    frozen = entry_words(host, port)
    if frozen is not None:
        words, environ, seconds = [*_IN_BACKGROUND, *frozen], entry_environ(), _FROZEN_TIMEOUT
    else:
        package = str(Path(__file__).resolve().parents[1])
        words = [find_python(), "-I", "-S", "-c", _BOOT, package, host, str(port)]
        environ, seconds = dict(os.environ), _TIMEOUT
    try:
        said = start_and_hear(words, {**environ, SPAWNED: "1"}, _WORDS, seconds)
    except OSError as error:
        raise _failure(f"{words[0]!r}: {error.strerror}") from error
    if not heard(said, _WORDS):
        lines = said.decode("utf-8", "replace").strip().splitlines()
        raise _failure(lines[-1] if lines else "it said nothing")


def _failure(reason: str) -> ServerStartError:
    return ServerStartError(
        f"the supervisor of the Ollama server did not start: {reason}",
        hint="It needs the Python that runs this program, as a file that can be executed.",
        code="supervisor_failed",
    )
