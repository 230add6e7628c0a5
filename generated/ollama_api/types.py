"""What the generated models and request builders share."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, cast

import msgspec
from attrs import frozen

Content: TypeAlias = bytes | Iterable[bytes] | AsyncIterable[bytes]
"""A body of bytes, whole or in pieces."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Reader: TypeAlias = Callable[[Any], T]
"""Turns parsed JSON into what a field holds, or raises SpecError."""

MISSING: Final[Any] = object()
"""In the place of a required field that is not there; no reader takes it."""


class SpecError(ValueError):
    """Parsed JSON is not what the spec promises.

    Attributes:
        path (str): Where, such as `message.tool_calls[0].function.name`; empty for the whole of it.
        expected (str): What should be there, such as `a string`.
        found (str): What is there, in short.
    """

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(expected, found := _shown(value))
        self.path: str = ""
        self.expected: str = expected
        self.found: str = found

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}expected {self.expected}, got {self.found}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restored, (type(self), self.path, self.expected, self.found))

    def inside(self, name: str) -> SpecError:
        """Return this error as that of whoever holds the value.

        Args:
            name: The field that holds it, or its place in brackets.
        """
        joint = "." if self.path and self.path[0] != "[" else ""
        self.path = f"{name}{joint}{self.path}"
        return self


def _restored(cls: type[SpecError], path: str, expected: str, found: str) -> SpecError:
    error = cls.__new__(cls, expected, found)
    error.path, error.expected, error.found = path, expected, found
    return error


def _shown(value: object) -> str:
    if value is MISSING:
        return "nothing"
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 40 else f'"{value[:37]}..."'
    if isinstance(value, int | float):
        # Long integers cannot even be written.
        return repr(value) if -1e40 < value < 1e40 else "a huge number"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"


def read(reader: Reader[T], value: object, name: str) -> T:
    """Return what `reader` makes of the value of a field; SpecError names the field."""
    try:
        return reader(value)
    except SpecError as error:
        raise error.inside(name)


def text(value: object) -> str:
    """Read a string."""
    if isinstance(value, str):
        return value
    raise SpecError("a string", value)


def boolean(value: object) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    raise SpecError("true or false", value)


def integer(value: object) -> int:
    """Read an integer; 3.0 is one in JSON Schema, and true is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise SpecError("an integer", value)


def number(value: object) -> float:
    """Read a number; an integer stays one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise SpecError("a number", value)


def mapping(value: object) -> dict[str, Any]:
    """Read an object without a class of its own, or what a class is about to be made of."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise SpecError("an object", value)


def sequence(value: object) -> list[Any]:
    """Read a list of anything."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    raise SpecError("a list", value)


# Whether all of these types are those of values that need no further look.
are_text: Final = frozenset([str]).issuperset
are_integer: Final = frozenset([int]).issuperset

_PLAIN: Final[dict[Any, Callable[[Iterable[type]], bool]]] = {
    text: are_text,
    integer: are_integer,
}


def list_of(reader: Reader[T]) -> Reader[list[T]]:
    """Return the reader of lists of what `reader` reads."""
    are_plain = _PLAIN.get(reader)

    def read_list(value: object) -> list[T]:
        items = sequence(value)
        if are_plain is not None and are_plain(map(type, items)):
            return items
        done: list[T] = []
        try:
            for item in items:
                done.append(reader(item))
        except SpecError as error:
            raise error.inside(f"[{len(done)}]")
        return done

    return read_list


def _in_one_go(kind: type[T], one_by_one: Reader[T]) -> Reader[T]:
    """Return the reader of a `kind` of list that is likely to be long.

    msgspec looks at all of it at once; what it refuses goes to a reader that can say where.
    """

    def read_in_one_go(value: object) -> T:
        if type(value) is list:
            try:
                return msgspec.convert(value, kind)
            except msgspec.ValidationError:
                pass
        return one_by_one(value)

    return read_in_one_go


numbers: Final[Reader[list[float]]] = _in_one_go(list[int | float], list_of(number))
number_lists: Final[Reader[list[list[float]]]] = _in_one_go(
    list[list[int | float]], list_of(list_of(number))
)


def map_of(reader: Reader[T]) -> Reader[dict[str, T]]:
    """Return the reader of objects whose values `reader` reads."""

    def read_map(value: object) -> dict[str, T]:
        return {key: read(reader, item, f"[{_shown(key)}]") for key, item in mapping(value).items()}

    return read_map


def nullable(reader: Reader[T]) -> Reader[T | None]:
    """Return the reader of null and of what `reader` reads."""

    def read_nullable(value: object) -> T | None:
        return None if value is None else reader(value)

    return read_nullable


def one_of(*readers: Reader[Any]) -> Reader[Any]:
    """Return the reader of what one of them reads; the first that can, does."""

    def read_one(value: object) -> Any:
        expected: list[str] = []
        for reader in readers:
            try:
                return reader(value)
            except SpecError as error:
                if error.path:  # The right kind of value, and wrong within.
                    raise
                expected.append(error.expected)
        raise SpecError(" or ".join(expected), value)

    return read_one


@frozen(kw_only=True)
class Request(Generic[T_co]):
    """One call, ready to be sent; a transport sends it and passes what comes back to `decode`.

    Attributes:
        operation_id (str): The operation's name in the spec.
        method (str): The HTTP method, in capitals.
        path (str): The path below the server's address, quoted.
        json (dict[str, Any] | None): The body as a JSON object.
        content (Content | None): The body as bytes.
        expects (Literal["json", "text", "nothing"]): The form of a good answer's body.
        decode (Callable[[Any], T_co]): Turns a good answer's body into the result: a parsed JSON
            value, or the text where text is expected; it raises SpecError for one that breaks the
            spec.
    """

    operation_id: str
    method: str
    path: str
    json: dict[str, Any] | None = None
    content: Content | None = None
    expects: Literal["json", "text", "nothing"] = "json"
    decode: Callable[[Any], T_co]


def decode_nothing(body: object) -> None:
    """Ignore the body of an answer that has nothing to say."""


def decode_text(body: object) -> str:
    """Return a body of text; bytes are read as UTF-8."""
    if isinstance(body, bytes):
        return body.decode("utf-8", "replace")
    return "" if body is None else str(body)


def parse_timestamp(value: Any) -> datetime:
    """Read a timestamp as RFC 3339 has it, cut to microseconds, or in another common form.

    Args:
        value: The timestamp.

    Returns:
        The moment; without a time zone only where the text has none.

    Raises:
        SpecError: Not a timestamp.
    """
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return _parse_unusual_timestamp(value)


def _parse_unusual_timestamp(value: object) -> datetime:
    if not isinstance(value, str):
        raise SpecError("a timestamp", value)
    from dateutil import parser  # Slow to import, hardly ever needed.

    try:
        return parser.isoparse(value)
    except Exception:  # Whatever odd text makes it meet, such as decimal.InvalidOperation.
        pass
    try:
        # What the text leaves out is filled in from the default, which must not become an answer.
        moment, other = (
            parser.parse(value, default=default, tzinfos=_known_zone)
            for default in (datetime(2000, 1, 1), datetime(2001, 2, 2, 1, 1, 1, 1))
        )
        complete = moment == other
    except Exception as error:
        raise SpecError("a timestamp", value) from error
    if not complete:
        raise SpecError("a whole timestamp", value)
    return moment


def _known_zone(name: str | None, offset: int | None) -> int | None:
    if name is not None and offset is None:
        raise ValueError(f"the time zone {name} may be any of several")
    return offset
