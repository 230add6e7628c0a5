"""start, stop, restart, status: the life of the server at an address."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from manager.cli.exit_codes import ExitCode
from manager.cli.terminal import write_json
from manager.errors import ServerNotOwnedError
from manager.quantities import duration
from manager.status import Ownership, ServerState, ServerStatus, status_from_snapshot
from manager.supervisor.client import inspect, stop_managed
from manager.supervisor.link import SupervisorLink
from manager.supervisor.logfile import log_path
from manager.supervisor.probe import Verdict, probe_now
from manager.supervisor.settings import connect_host

if TYPE_CHECKING:
    from manager.cli.invocation import Invocation
    from manager.supervisor.settings import ServerSettings
    from manager.supervisor.states import Snapshot

__all__ = ["restart_server", "show_status", "start_server", "stop_server"]

_STATE_STYLES = {
    ServerState.READY: "bold green",
    ServerState.STARTING: "bold yellow",
    ServerState.RESTARTING: "bold yellow",
    ServerState.STOPPING: "bold yellow",
    ServerState.UNRESPONSIVE: "bold red",
    ServerState.FAILED: "bold red",
    ServerState.STOPPED: "bold",
}
_OWNERSHIP = {
    Ownership.MANAGED: "started by ollama-manager",
    Ownership.FOREIGN: "started by something else, so never stopped from here",
    Ownership.REMOTE: "on another machine",
    Ownership.NONE: "there is none",
}


def start_server(run: Invocation) -> None:
    """Start the server, or adopt the one that is there; a managed one stays until it is stopped.

    Raises:
        OllamaManagerError: It cannot be started, or it is on another machine.
    """
    settings = run.server_settings()
    link = SupervisorLink(settings.replace(linger=inf))
    run.terminal.note(f"starting the server at {settings.base_url} ...")
    try:
        snapshot = link.start().result()
    finally:
        link.close().result()
    _show(run, settings, snapshot)


def restart_server(run: Invocation) -> None:
    """Restart the managed server; where there is none, start one that stays.

    Raises:
        ServerNotOwnedError: It is foreign, or on another machine.
        OllamaManagerError: It did not come up again.
    """
    settings = run.server_settings()
    if not settings.remote and inspect(settings.host, settings.port) is None:
        settings = settings.replace(linger=inf)
    link = SupervisorLink(settings)
    run.terminal.note(f"restarting the server at {settings.base_url} ...")
    try:
        snapshot = link.restart().result()
    finally:
        link.close().result()
    _show(run, settings, snapshot)


def stop_server(run: Invocation) -> None:
    """Stop the managed server for everybody; that there is none is no error.

    Raises:
        ServerNotOwnedError: It is foreign, or on another machine.
    """
    settings = run.server_settings()
    if settings.remote:
        raise ServerNotOwnedError(
            f"the server at {settings.base_url} is on another machine",
            code="server_remote",
            hint="stop it there",
        )
    before = inspect(settings.host, settings.port)
    snapshot = stop_managed(settings.host, settings.port)
    stopped = before is not None and snapshot is not None
    if run.as_json:
        pid = before.pid if stopped and before is not None else None
        write_json({"stopped": stopped, "host": settings.base_url, "pid": pid})
    else:
        what = "stopped the server" if stopped else "there was no server to stop"
        run.terminal.out.print(f"{what} at {settings.base_url}", soft_wrap=True)


def show_status(run: Invocation) -> int:
    """Show what is known of the server; starts nothing and takes no lease.

    Returns:
        The exit code: whether a server is ready.
    """
    settings = run.server_settings()
    snapshot = None if settings.remote else inspect(settings.host, settings.port)
    if settings.remote:
        _report(run, _ask_remote(run), {})
        return ExitCode.OK
    if snapshot is None:
        _report(run, _nothing_there(settings), _facts(settings, None))
        return ExitCode.NO_SERVER
    _show(run, settings, snapshot)
    return ExitCode.OK if snapshot.state is ServerState.READY else ExitCode.NO_SERVER


def _ask_remote(run: Invocation) -> ServerStatus:
    import attrs

    from manager import OllamaManager

    config = run.resolved
    once = attrs.evolve(config, retry=attrs.evolve(config.retry, max_attempts=1))
    with OllamaManager(once) as manager:
        return attrs.evolve(manager.status(), state=ServerState.READY, version=manager.version())


def _nothing_there(settings: ServerSettings) -> ServerStatus:
    verdict, _ = probe_now(connect_host(settings.host), settings.port, 1.0)
    error = None
    if verdict is not Verdict.FREE:
        message = f"{settings.address} is taken by a program that is not Ollama"
        error = {"error": "ServerStartError", "code": "port_in_use", "message": message}
    return ServerStatus(state=ServerState.STOPPED, host=settings.base_url, last_error=error)


def _show(run: Invocation, settings: ServerSettings, snapshot: Snapshot) -> None:
    _report(run, status_from_snapshot(snapshot), _facts(settings, snapshot))


def _facts(settings: ServerSettings, snapshot: Snapshot | None) -> dict[str, Any]:
    """What the supervisor knows besides; a foreign server has none."""
    if snapshot is not None and snapshot.ownership is Ownership.FOREIGN:
        return {}
    path = snapshot.log_path if snapshot is not None else None
    return {
        "leases": snapshot.leases if snapshot is not None else 0,
        "log_path": path or log_path(settings.address, settings.log_dir),
        "supervisor_pid": snapshot.supervisor_pid if snapshot is not None else None,
    }


def _report(run: Invocation, status: ServerStatus, facts: dict[str, Any]) -> None:
    if run.as_json:
        write_json({**status.to_dict(), **facts})
        return
    out = run.terminal.out
    state = Text(status.state.value, style=_STATE_STYLES[status.state])
    out.print(Text.assemble(state, "  ", status.host), soft_wrap=True)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in _rows(status, facts):
        grid.add_row(f"  {label}", value)
    run.terminal.show(grid)


def _rows(status: ServerStatus, facts: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("server", _OWNERSHIP[status.ownership])]
    if status.version is not None:
        rows.append(("version", status.version))
    if status.pid is not None:
        rows.append(("pid", str(status.pid)))
    if status.uptime is not None:
        rows.append(("up", duration(status.uptime)))
    if status.restarts:
        rows.append(("restarts", str(status.restarts)))
    if facts.get("leases"):
        rows.append(("leases", str(facts["leases"])))
    if status.last_error is not None:
        rows.append(("last error", str(status.last_error.get("message", ""))))
    if facts.get("log_path"):
        rows.append(("log", str(facts["log_path"])))
    return rows
