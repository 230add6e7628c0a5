"""simulate: the simulated server in the foreground."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.text import Text

from manager.cli.exit_codes import ExitCode
from manager.cli.terminal import write_json
from manager.demo.stage import free_port
from manager.errors import ConfigError, ServerStartError
from manager.hosts import parse_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manager.cli.invocation import Invocation
    from manager.hosts import Address

__all__ = ["run_simulator"]


def run_simulator(run: Invocation, models: Sequence[str]) -> int:
    """Serve until a signal comes.

    Args:
        run: Says where; by default OLLAMA_HOST, or a free port of this machine.
        models: The models that it has; none: the usual two.

    Returns:
        The exit code, if it could not listen.

    Raises:
        ConfigError: The address is on another machine.
        ServerStartError: Something else has the port.
    """
    address = _address(run.host or os.environ.get("OLLAMA_HOST"))
    os.environ["OLLAMA_HOST"] = address.listen
    if models:
        os.environ["OLLAMA_SIMULATOR_MODELS"] = ",".join(models)
    _check_free(address)
    _announce(run, address)
    from manager.simulator.__main__ import main as simulator

    return ExitCode.NO_SERVER if simulator(["serve"]) else ExitCode.OK


def _address(host: str | None) -> Address:
    if not host:
        return parse_host(f"127.0.0.1:{free_port()}")
    address = parse_host(host)
    if not address.is_local:
        raise ConfigError(
            f"the simulated server can only listen on this machine, not at {address}",
            hint="leave out --host for a free port",
            key="server.host",
        )
    return address


def _check_free(address: Address) -> None:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        # as servers do: a connection that has just ended does not count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise ServerStartError(
                f"cannot listen at {address.listen}: {error.strerror}",
                hint="choose another --host, or leave it out for a free port",
                code="port_in_use",
            ) from error


def _announce(run: Invocation, address: Address) -> None:
    if run.as_json:
        write_json({"simulated": True, "host": address.base_url, "pid": os.getpid()})
        return
    text = Text.assemble(
        ("SIMULATION", "bold yellow"),
        ": this is not Ollama, and no model answers.\nListening at ",
        (address.base_url, "cyan"),
        "; Ctrl-C ends it. In another terminal:\n",
        (f"  ollama-manager --host {address.listen} list", "bold"),
    )
    run.terminal.err.print(Panel.fit(text, border_style="yellow"))
