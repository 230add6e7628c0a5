# generated from manager/_async/http_client.py by codegen.sh - do not edit
"""The HTTP client of a manager: what carries its calls, and how many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manager.transport.queue import SlotQueue

if TYPE_CHECKING:
    import httpx

    from manager.transport._sync.carrier import Carried, Carrier
    from manager.transport.call import Call
    from manager.transport.settings import ClientSettings

__all__ = ["HttpClient"]


class HttpClient:
    """A carrier for one server, and the slots of the calls that may use it.

    Args:
        settings: Where the server is, and how to get there.
        transport: What carries the calls, if that is an httpx transport of the user's.

    Raises:
        ConfigError: The settings cannot be used, or a package is missing that they ask for.
    """

    def __init__(
        self, settings: ClientSettings, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.settings = settings
        self.slots = SlotQueue(settings.max_connections)
        self.carrier: Carrier = _make_carrier(settings, transport)

    def exchange(self, call: Call[Any]) -> Carried:
        """Return the exchange of a call with the server; it has not begun."""
        request = call.request
        kind = None
        if request.content is not None:
            kind = "application/octet-stream"
        elif request.json is not None:
            kind = "application/json"
        return self.carrier.exchange(request.method, request.path, kind)

    def abort_all(self) -> None:
        """End every exchange, from any thread; whoever waits for a slot gets one, and the error."""
        self.slots.open()
        self.carrier.abort_all()

    def close(self) -> None:
        """Close the connections."""
        self.carrier.close()

    def keep_for_parent(self) -> None:
        """In a forked child: leave the connections to the parent."""
        self.carrier.keep_for_parent()


def _make_carrier(settings: ClientSettings, transport: httpx.BaseTransport | None) -> Carrier:
    if transport is not None or settings.needs_httpx:
        # it takes a fifth of a second to load
        from manager.transport._sync.httpx_carrier import HttpxCarrier

        return HttpxCarrier(settings, transport)
    from manager.transport._sync.engine import Engine

    return Engine(settings)
