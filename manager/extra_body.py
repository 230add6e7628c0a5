"""Fields of a request that this version does not know, or has no argument for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from manager.errors import InvalidRequestError
from manager.json_values import check_json
from manager.narrowing import is_mapping
from manager.spelling import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.types import JSONObject

__all__ = ["merge_extra_body"]


class _Model(Protocol):
    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self: ...

    def to_dict(self) -> dict[str, Any]: ...


R = TypeVar("R", bound=_Model)


def merge_extra_body(
    request: R, extra_body: Mapping[str, object] | None, arguments: Mapping[str, str]
) -> R:
    """Return the request with further top-level fields.

    Args:
        request: The request so far.
        extra_body: The fields, by their names in Ollama's API.
        arguments: Fields that an argument of the call gives, and the name of that argument. They
            are refused here: an argument is checked, a field of ``extra_body`` is not.

    Raises:
        InvalidRequestError: A field is no JSON, has an argument, or breaks the request.
    """
    if extra_body is None:
        return request
    if not is_mapping(extra_body):
        raise InvalidRequestError(
            f"extra_body must be a mapping, got {type(extra_body).__name__}", argument="extra_body"
        )
    body: JSONObject = {**request.to_dict(), **_check_fields(extra_body, arguments)}
    try:
        return type(request).from_dict(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRequestError(
            f"extra_body does not fit the request: {error}", argument="extra_body"
        ) from error


def _check_fields(extra_body: Mapping[object, object], arguments: Mapping[str, str]) -> JSONObject:
    checked: JSONObject = {}
    for key, value in extra_body.items():
        if not isinstance(key, str):
            raise InvalidRequestError(
                f"extra_body has the key {shown(key)}; keys must be strings", argument="extra_body"
            )
        if key in arguments:
            raise InvalidRequestError(
                f"extra_body holds {key}, which has an argument of its own",
                argument=f"extra_body.{key}",
                hint=f"Give it as {arguments[key]}=... instead.",
            )
        checked[key] = check_json(value, f"extra_body.{key}")
    return checked
