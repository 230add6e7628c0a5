"""The supervisor's program: ``python -m manager.supervisor HOST PORT``, started by ``spawn``."""

from __future__ import annotations

import os
import signal
import sys

from manager.supervisor.desk import Desk
from manager.supervisor.frozen import SPAWNED
from manager.supervisor.inherited import forget_starter, reset_signals
from manager.supervisor.logfile import log_path, open_log
from manager.supervisor.loop import Loop
from manager.supervisor.processes import become_subreaper
from manager.supervisor.protocol import SupervisorRunningError, listen
from manager.supervisor.settings import server_address

__all__ = ["main"]


def main(host: str, port: int) -> int:
    """Look after the server of one address until nobody wants it any more.

    Standard output gets ``listening`` or ``taken`` and is closed.

    Args:
        host: Where the server listens.
        port: Its port.

    Returns:
        The exit code: 0, also when another supervisor was there first.
    """
    reset_signals()
    os.environ.pop(SPAWNED, None)  # what is started from here is no second start of a program
    address = server_address(host, port)
    try:
        listener = listen(address)
    except SupervisorRunningError:
        _report("taken")
        return 0
    become_subreaper()
    forget_starter()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # errors of a write, not the end of all
        signal.signal(number, signal.SIG_IGN)
    loop = Loop()
    desk = Desk(loop, listener, host, port)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.on_signal(number, desk.quit)
    _report("listening")
    try:
        loop.run()
    except BaseException:
        _last_words(address)
        raise
    return 0


def _report(word: str) -> None:
    """Tell the spawner, then let go of everything that was inherited."""
    try:  # noqa: SIM105  contextlib would be one more import
        os.write(1, f"{word}\n".encode())
    except OSError:
        pass  # the spawner is gone; others may need us
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def _last_words(address: str) -> None:
    import traceback  # 4 ms that a start need not wait for

    log = open_log(log_path(address))
    try:
        os.write(log, f"the supervisor failed:\n{traceback.format_exc()}".encode())
    finally:
        os.close(log)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
