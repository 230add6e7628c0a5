"""A key of the configuration: an attrs field that knows how its value is read and shown."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, cast

import attrs

from manager.errors import ConfigError
from manager.hosts import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from manager.config.kinds import Kind

__all__ = ["Effect", "Key", "Table", "key", "keys_of", "masked", "metadata", "shown"]

Effect: TypeAlias = Literal["at once", "restart", "new managers only"]
"""When a changed value holds: for later calls, after a restart of the server, or not here."""

_SECRET_NAME = re.compile(r"key|token|secret|passw|credential|auth|cookie", re.IGNORECASE)
# Also where the scheme is missing, or the password holds a slash.
_USERINFO = re.compile(r"(?<=://)\S{1,256}(?=@)|(?:^|(?<=['\"\s]))[^\s/@:'\"]+:[^\s/@'\"]+(?=@)")
_MASK = "***"
_MAX_SHOWN = 80
_METADATA = "manager.config"


class Table(attrs.AttrsInstance, Protocol):
    """A table of the configuration: an attrs class with a name."""

    table: ClassVar[str]


@attrs.frozen
class Key:
    """What is known of one key.

    Attributes:
        kind: What its value may be.
        doc: One sentence for the documentation.
        effect: When a changed value holds.
        secret: Whether its value is never shown.
        variable: The variable of the server that it stands for, such as ``OLLAMA_MODELS``.
        default: Its default.
        name: Its name in the table.
        table: The name of its table.
    """

    kind: Kind
    doc: str
    default: object = None
    effect: Effect = "at once"
    secret: bool = False
    variable: str | None = None
    name: str = ""
    table: str = ""

    @property
    def path(self) -> str:
        """Its full name, such as ``server.linger``."""
        return f"{self.table}.{self.name}"

    @property
    def environment_name(self) -> str:
        """The variable that sets it for managers."""
        return f"OLLAMA_MANAGER_{self.table}_{self.name}".upper()

    def read(self, value: object, where: str, make: Callable[[Any], object] | None = None) -> Any:
        """Make its value out of what was given.

        Args:
            value: What was given.
            where: How a person finds it; the error begins with it.
            make: What the value becomes first: the kind's ``from_text`` or ``from_caller``.

        Raises:
            ConfigError: It is none that this key may have.
        """
        try:
            return self.kind.read(value if make is None else make(value))
        except ValueError as error:
            reason = str(error) or f"must be {self.kind.expected}, got {self._shown(value)}"
            raise ConfigError(
                f"{where} {reason}", key=self.path, expected=self.kind.expected
            ) from None

    def _shown(self, value: object) -> str:
        if self.secret or self.path == "server.env":  # of variables, the form alone may be wrong
            return f"{type(value).__name__} (not shown)"
        return shown(_without_user(value))


def key(
    kind: Kind,
    default: object,
    doc: str,
    *,
    effect: Effect = "at once",
    secret: bool = False,
    variable: str | None = None,
) -> Any:
    """Declare a key of a table; type checkers take it for a default of the annotated type."""
    about = Key(kind, doc, default, effect=effect, secret=secret, variable=variable)
    field: Any = attrs.field(
        default=attrs.Factory(_empty) if default == {} else default,
        metadata=metadata(about),
        converter=_CONVERTER,
        repr=lambda value: repr(masked(about, value)),
    )
    return field


def metadata(about: Key) -> dict[str, Key]:
    """Return what makes a field a key where it is declared without :func:`key`."""
    return {_METADATA: about}


def _empty() -> dict[str, object]:
    return {}


def _convert(value: object, table: attrs.AttrsInstance, field: attrs.Attribute[Any]) -> Any:
    about = _keys(cast("type[Table]", type(table)))[field.name]
    return about.read(value, about.path, about.kind.from_caller)


_CONVERTER = attrs.Converter(_convert, takes_self=True, takes_field=True)


@functools.cache  # for each new manager, all of them are gone through several times
def _keys(table: type[Table]) -> Mapping[str, Key]:
    return {
        field.name: attrs.evolve(
            cast("Key", field.metadata[_METADATA]), name=field.name, table=table.table
        )
        for field in attrs.fields(table)
    }


def keys_of(table: type[Table]) -> Iterator[Key]:
    """Yield the keys of a table in the order of the documentation."""
    yield from _keys(table).values()


def masked(about: Key, value: object) -> object:
    """Return a value as JSON-ready data that holds no secret."""
    if value is None:
        return None
    if not about.secret:
        return _plain(_without_user(value))
    # The names of headers are no secret.
    return dict.fromkeys(cast("dict[str, str]", value), _MASK) if about.default == {} else _MASK


def _without_user(value: object) -> object:
    """Hide the credentials in the URL of a proxy; they end at the last ``@``."""
    if not isinstance(value, str) or "://" not in value:
        return value
    scheme, _, rest = value.partition("://")
    _, at, host = rest.rpartition("@")
    return f"{scheme}://{_MASK}@{host}" if at else value


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {name: _MASK if _hides(name, item) else _plain(item) for name, item in items}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in cast("list[object]", value)]
    if isinstance(value, Address):
        return str(value)
    if attrs.has(cast("type[attrs.AttrsInstance]", type(value))):
        instance = cast("attrs.AttrsInstance", value)
        return {
            field.name: _plain(getattr(instance, field.name))
            for field in attrs.fields(type(instance))
        }
    if value == math.inf:
        return "inf"
    return _USERINFO.sub(_MASK, value) if isinstance(value, str) else value


def _hides(name: str, item: object) -> bool:
    return isinstance(item, str) and bool(_SECRET_NAME.search(name))


def shown(value: object) -> str:
    """Return a value as an error quotes it: in one short line."""
    try:
        text = _USERINFO.sub(_MASK, repr(value))
    except (ValueError, RecursionError):  # a number of thousands of digits, a table in itself
        text = f"a {type(value).__name__}"
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
