"""The process of ``ollama serve``: spawned, ended, and everything that it leaves behind removed."""

from __future__ import annotations

import os
import signal
import sys

from manager.supervisor.inherited import restrictions
from manager.supervisor.logfile import log_path
from manager.supervisor.processes import MARK, children_of, die_with_parent, kill, mark
from manager.supervisor.serverlog import ServerLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from manager.supervisor.settings import ServerSettings

__all__ = ["ServerProcess", "reap_others", "reap_strays"]

_DEFAULT_SIGNALS = ("SIGPIPE", "SIGXFSZ", "SIGTERM", "SIGINT", "SIGHUP", "SIGCHLD")


class ServerProcess:
    """One server process, from spawn to the last of its runners.

    The caller is single-threaded and the parent, so its pid cannot be recycled before
    ``reap`` has returned the exit code.

    ``handle`` becomes readable when it ends, where the system has that; None where it has not.

    Args:
        settings: What was asked for.
        command: The program and its first arguments, found and absolute.
        environ: Its whole environment but for ``OLLAMA_HOST`` and the mark.
        nonce: The life of this supervisor, for the mark.

    Raises:
        OSError: When the program cannot be executed.
    """

    def __init__(
        self,
        settings: ServerSettings,
        command: tuple[str, ...],
        environ: dict[str, str],
        nonce: str,
    ) -> None:
        self.log: ServerLog = ServerLog(log_path(settings.address, settings.log_dir))
        for text in restrictions():
            self.log.remark(text)
        environ = {
            **environ,
            "OLLAMA_HOST": settings.address,
            MARK: mark(settings.address, nonce),
        }
        try:
            self.pid: int = _spawn([*command, "serve"], environ, self.log.fd)
        except BaseException:
            self.log.close()
            raise
        self.handle: int | None = _handle_of(self.pid)

    def reap(self) -> int | None:
        """Collect the exit, and end its process group before its pid can be used again.

        Returns:
            The exit code (negative: the signal), or None while it runs.
        """
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        self._signal_group(signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Close the log, and the handle; for after ``reap``."""
        self.log.close()
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None

    def terminate(self) -> None:
        """Ask it to end. A stopped process gets to hear of it, too."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, with its group."""
        self._signal(signal.SIGKILL)
        self._signal_group(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        try:  # noqa: SIM105  contextlib would be one more import
            os.kill(self.pid, number)
        except PermissionError:
            pass  # it runs as another user, by sudo for example

    def _signal_group(self, number: int) -> None:
        try:  # noqa: SIM105  contextlib would be one more import
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # macOS says EPERM for a group of zombies


def reap_others() -> bool:
    """Kill and collect the orphans of a dead server; as a subreaper we are their parent.

    Returns:
        Whether none is left.
    """
    for orphan in children_of(os.getpid()):
        kill(orphan)
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False


def reap_strays(server_pid: int) -> None:
    """Collect children that are not the server: runners whose own parent ended before them.

    Args:
        server_pid: The child that is left for ``ServerProcess.reap``.
    """
    while True:
        try:
            peeked = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if peeked is None or peeked.si_pid == server_pid:
            return
        os.waitpid(peeked.si_pid, os.WNOHANG)


def _handle_of(pid: int) -> int | None:
    """A descriptor that becomes readable when a child ends: no signal is needed to hear of it."""
    if sys.platform == "linux" and hasattr(os, "pidfd_open"):
        try:
            return os.pidfd_open(pid)
        except OSError:
            pass  # an old kernel, or a sandbox
    return None


def _spawn(words: list[str], environ: dict[str, str], log: int) -> int:
    parent = os.getpid()
    report, failed = os.pipe()  # both are closed by exec
    pid = os.fork()
    if pid == 0:
        try:
            _become_server(words, environ, log, parent)
        except OSError as error:
            os.write(failed, str(error.errno or 0).encode())
        finally:
            os._exit(127)
    os.close(failed)
    with open(report, "rb") as file:
        failure = file.read()
    if failure:
        os.waitpid(pid, 0)
        number = int(failure)
        raise OSError(number, os.strerror(number), words[0])
    return pid


def _become_server(words: list[str], environ: dict[str, str], log: int, parent: int) -> NoReturn:
    os.setsid()  # also its own process group, which its runners stay in
    die_with_parent(signal.SIGTERM)
    if sys.platform == "linux" and os.getppid() != parent:
        os._exit(0)  # the parent died before the line above could see it
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for name in _DEFAULT_SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execve(words[0], words, environ)  # noqa: S606  no shell on purpose
