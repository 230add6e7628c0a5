"""The types of the fields of requests, and Go's complaint when a value has another one."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from manager.simulator.exchange import ApiError
from manager.simulator.go_values import FOREVER, parse_duration, quote
from manager.simulator.json_types import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Mapping


class Place(NamedTuple):
    """Where in a request a value stands, in Go's words."""

    struct: str
    path: str

    def __str__(self) -> str:
        return f"{self.struct}.{self.path}"


Kind = Callable[[Any, Place], Any]
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/\r\n]")
_THINK_LEVELS = ("high", "medium", "low", "max")


def kind_of(value: object) -> str:
    """The type of a JSON value, as Go calls it."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if is_list(value) else "object"


def _mismatch(value: Any, place: Place, go_type: str) -> NoReturn:
    kind = kind_of(value)
    if kind == "number" and go_type == "int":
        kind = f"number {value}"
    raise ApiError(
        400, f"json: cannot unmarshal {kind} into Go struct field {place} of type {go_type}"
    )


def string(value: Any, place: Place) -> str:
    return value if isinstance(value, str) else _mismatch(value, place, "string")


def boolean(value: Any, place: Place) -> bool:
    return value if isinstance(value, bool) else _mismatch(value, place, "bool")


def integer(value: Any, place: Place) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _mismatch(value, place, "int")


def anything(value: Any, place: Place) -> Any:
    return value


def mapping(value: Any, place: Place) -> dict[str, Any]:
    if is_object(value):
        return value
    return _mismatch(value, place, "map[string]interface {}")


def string_mapping(value: Any, place: Place) -> dict[str, str]:
    if not is_object(value):
        _mismatch(value, place, "map[string]string")
    return {key: string(entry, place) for key, entry in value.items() if entry is not None}


def list_of(kind: Kind, go_type: str) -> Kind:
    """A list whose entries are all of one kind; null entries become None."""

    def check(value: Any, place: Place) -> list[Any]:
        if not is_list(value):
            _mismatch(value, place, go_type)
        return [None if entry is None else kind(entry, place) for entry in value]

    return check


def struct(go_type: str, kinds: Mapping[str, Kind], *, name: str = "") -> Kind:
    """An object with known fields; null counts as absent and unknown fields are dropped."""

    def check(value: Any, place: Place) -> dict[str, Any]:
        if not is_object(value):
            _mismatch(value, place, go_type)
        found: dict[str, Any] = {}
        for key, entry in value.items():
            # Go matches names whatever their case.
            field = key if key in kinds else key.lower()
            if field in kinds and entry is not None:
                path = f"{place.path}.{field}" if place.path else field
                found[field] = kinds[field](entry, Place(name or place.struct, path))
        return found

    return check


def duration(value: Any, place: Place) -> float:
    """How long to keep a model: seconds; a negative one is for ever."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        kinds = {"bool": "bool", "array": "[]interface {}"}
        kind = kinds.get(kind_of(value), "map[string]interface {}")
        raise ApiError(400, f"Unsupported type: '{kind}'")
    try:
        seconds = parse_duration(value) if isinstance(value, str) else float(value)
    except ValueError as error:
        raise ApiError(400, str(error)) from None
    return FOREVER if seconds < 0 else min(seconds, FOREVER)


def think(value: Any, place: Place) -> bool | str:
    """Whether, or how hard, to think."""
    allowed = '"high", "medium", "low", "max", true, or false'
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value in _THINK_LEVELS:
            return value
        raise ApiError(400, f"invalid think value: {quote(value)} (must be {allowed})")
    raise ApiError(400, f"think must be a boolean or string ({allowed})")


def image(value: Any, place: Place) -> bytes:
    """An image, in base64."""
    if is_list(value):
        return bytes(value)
    if not isinstance(value, str):
        _mismatch(value, place, "[]uint8")
    data = value.encode("utf-8", "replace")
    core = data.rstrip(b"=")
    wrong = _NOT_BASE64.search(core)
    compact = core.translate(None, b"\r\n")
    if wrong is not None or len(compact) % 4 == 1 or (len(data) - len(core) + len(compact)) % 4:
        position = wrong.start() if wrong else len(data) // 4 * 4
        raise ApiError(400, f"illegal base64 data at input byte {position}")
    return base64.b64decode(compact + b"=" * (-len(compact) % 4))
