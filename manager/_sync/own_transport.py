# generated from manager/_async/own_transport.py by codegen.sh - do not edit
"""An httpx transport of the user's, which carries the calls of a manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from manager.errors import ConfigError

if TYPE_CHECKING:
    import httpx

    from manager.config import ManagerSettings

__all__ = ["separate_transport"]


def separate_transport(
    settings: ManagerSettings,
) -> tuple[ManagerSettings, httpx.BaseTransport | None]:
    """Return the settings without an httpx transport that is among them, and that transport.

    Args:
        settings: The keywords of a manager.

    Raises:
        ConfigError: ``transport`` is neither a word nor a transport of this manager's kind.
    """
    transport = settings.get("transport")
    if transport is None or isinstance(transport, str):
        return settings, None
    # by what it can do: httpx is not loaded for want of one
    if not callable(getattr(transport, "handle_request", None)):
        raise ConfigError(
            f"transport must be a word or an httpx.BaseTransport, got {type(transport).__name__}",
            hint='for example transport="httpx" or transport=httpx.MockTransport(answer)',
            key="client.transport",
        )
    rest: ManagerSettings = {**settings, "transport": "httpx"}
    return rest, cast("httpx.BaseTransport", transport)
