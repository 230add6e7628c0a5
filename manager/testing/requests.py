"""What a client has sent, to be asserted on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from manager.simulator.json_types import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manager.simulator.direction import Told

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


class Headers(Mapping[str, str]):
    """The headers of a request, whatever the case of their names.

    Secrets are there, but are not shown: ``repr`` ends up in the logs of test runs.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._headers[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        shown = {n: "***" if n in _SECRET else value for n, value in self._headers.items()}
        return f"Headers({shown})"


@dataclass(frozen=True)
class RecordedRequest:
    """One request, as it came.

    Args:
        method: The HTTP method.
        path: Without the query.
        headers: By name, in any case; ``repr`` hides secrets.
        body: The decoded JSON; None without a body, text if it is no JSON. The contents of files
            that are uploaded are not kept.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any = None

    @property
    def model(self) -> str:
        """The model that is asked for, as the client wrote it; empty if none is."""
        return str(self._field("model") or self._field("name") or "")

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of a chat; none otherwise."""
        messages = self._field("messages")
        return [entry for entry in messages if is_object(entry)] if is_list(messages) else []

    @property
    def prompt(self) -> str:
        """What is asked: the last message of the user, the prompt, or the texts to embed."""
        users = (entry for entry in reversed(self.messages) if entry.get("role") == "user")
        last = next(users, None)
        spoken = None if last is None else last.get("content")
        asked = spoken or self._field("prompt") or self._field("input") or ""
        return "\n".join(map(str, asked)) if is_list(asked) else str(asked)

    @property
    def options(self) -> dict[str, Any]:
        """The options, such as ``temperature``; empty if none are given."""
        options = self._field("options")
        return options if is_object(options) else {}

    def _field(self, name: str) -> Any:
        return self.body.get(name) if is_object(self.body) else None


def recorded(told: Told) -> RecordedRequest:
    """The record of a request."""
    body: Any = None
    if told.body:
        try:
            body = json.loads(told.body)
        except ValueError:
            body = told.body.decode("utf-8", "replace")
    return RecordedRequest(told.method, told.path, Headers(told.headers), body)
