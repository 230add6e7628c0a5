"""Frozen records. Importing ``dataclasses`` costs a third of the supervisor's start (15 ms)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda cls: cls


__all__ = ["Record"]


@dataclass_transform(frozen_default=True)
class Record:
    """Base of immutable records: annotated fields, some with defaults, as in a dataclass.

    Compared, hashed and shown by its fields. ``to_dict`` gives JSON-ready data, and ``replace``
    a changed copy.
    """

    _fields: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(cls.__annotations__)

    if not TYPE_CHECKING:

        def __init__(self, *args, **kwargs):
            cls = type(self)
            if len(args) > len(cls._fields):
                raise TypeError(f"{cls.__name__} takes {len(cls._fields)} values at most")
            values = dict(zip(cls._fields, args, strict=False))
            for name, value in kwargs.items():
                if name in values or name not in cls._fields:
                    raise TypeError(f"{cls.__name__} got an unexpected or repeated {name!r}")
                values[name] = value
            for name in cls._fields:
                if name not in values:
                    if not hasattr(cls, name):
                        raise TypeError(f"{cls.__name__} needs {name!r}")
                    values[name] = getattr(cls, name)
            self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *(self.__dict__[name] for name in self._fields)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self._fields)
        return f"{type(self).__name__}({shown})"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Args:
            **changes: The fields to change.

        Returns:
            A new record.
        """
        return type(self)(**{**self.__dict__, **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready data, records inside included."""
        return {
            name: value.to_dict() if isinstance(value, Record) else value
            for name, value in self.__dict__.items()
        }
