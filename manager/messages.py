"""Conversations: from what callers write to the messages of a request."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from manager.errors import InvalidRequestError
from manager.images import encode_images
from manager.json_values import check_json, validate_text
from manager.narrowing import is_iterable, is_mapping, is_sequence
from manager.spelling import did_you_mean, shown

if TYPE_CHECKING:
    from ollama_api.models.message import Message
    from ollama_api.models.tool_call import ToolCall

__all__ = ["ROLES", "build_messages"]

ROLES: Final = ("system", "user", "assistant", "tool", "developer")

_TEXT_KEYS = ("thinking", "tool_name", "tool_call_id")
_KEYS = ("role", "content", *_TEXT_KEYS, "images", "tool_calls")
# What other programs call it. Only ever used to suggest.
_ELSEWHERE = {"name": "tool_name", "text": "content", "message": "content", "image": "images"}


def build_messages(
    prompt: object,
    *,
    system: str | None = None,
    images: object = None,
    argument: str = "prompt",
) -> list[Message]:
    """Return the messages of a chat.

    What the caller gave is never changed; ``Message`` objects that need no change go in as they
    are.

    Args:
        prompt: A text, or a list of messages (dicts or ``Message``).
        system: A system message to put in front.
        images: Images for the last message of the user; see ``manager.images``.
        argument: What ``prompt`` is called, for the error.

    Raises:
        InvalidRequestError: A message is malformed, there is none, or ``system`` or ``images``
            have no place in them.
    """
    messages = _conversation(prompt, images is not None, argument)
    if system is not None:
        _put_system_in_front(messages, validate_text(system, "system"), argument)
    if images is not None:
        _add_images(messages, encode_images(images), argument)
    return messages


def _conversation(prompt: object, has_images: bool, argument: str) -> list[Message]:
    from ollama_api.models.message import Message

    if isinstance(prompt, str):
        if not prompt and not has_images:
            raise InvalidRequestError(
                f"{argument} is empty",
                argument=argument,
                hint="Ask something; load_model() loads a model without asking.",
            )
        return [Message(role="user", content=validate_text(prompt, argument))]
    if isinstance(prompt, (Mapping, Message)):
        raise InvalidRequestError(
            f"{argument} is a single message", argument=argument, hint="Put it in a list: [...]."
        )
    if not is_sequence(prompt):
        raise InvalidRequestError(
            f"{argument} must be a string or a list of messages, got {type(prompt).__name__}",
            argument=argument,
            hint='Write a list as [{"role": "user", "content": "..."}].',
        )
    if not prompt:
        raise InvalidRequestError(
            f"{argument} holds no message",
            argument=argument,
            hint="Add one; load_model() loads a model without asking.",
        )
    return [_message(item, f"{argument}[{index}]") for index, item in enumerate(prompt)]


def _put_system_in_front(messages: list[Message], system: str, argument: str) -> None:
    from ollama_api.models.message import Message

    for index, message in enumerate(messages):
        if message.role == "system":
            raise InvalidRequestError(
                f"system is given, and {argument}[{index}] is a system message too",
                argument="system",
                hint="Leave out one of the two.",
            )
    messages.insert(0, Message(role="system", content=system))


def _add_images(messages: list[Message], images: list[str], argument: str) -> None:
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "user":
            message = copy.copy(messages[index])
            message.images = [*(message.images or ()), *images]
            messages[index] = message
            return
    raise InvalidRequestError(
        f"images are given, but {argument} has no message of the user for them",
        argument="images",
        hint='Add a message with the role "user".',
    )


def _message(item: object, place: str) -> Message:
    from ollama_api.models.message import Message

    if isinstance(item, Message):
        return _check_message(item, place)
    if is_mapping(item):
        return _message_from_mapping(item, place)
    raise InvalidRequestError(
        f"{place} must be a dict or a Message, got {type(item).__name__}",
        argument=place,
        hint='Write it as {"role": "user", "content": "..."}.',
    )


def _check_message(message: Message, place: str) -> Message:
    _check_role(message.role, place)
    validate_text(message.content, f"{place}.content")
    for key in _TEXT_KEYS:
        value: object = getattr(message, key)
        if value is not None:
            validate_text(value, f"{place}.{key}")
    for index, call in enumerate(message.tool_calls or ()):
        check_json(call.function.arguments, f"{place}.tool_calls[{index}].function.arguments")
    if message.images:
        images = encode_images(message.images, f"{place}.images")
        if images != message.images:
            message = copy.copy(message)
            message.images = images
    return message


def _message_from_mapping(item: Mapping[object, object], place: str) -> Message:
    from ollama_api.models.message import Message

    given = {_check_key(key, place): value for key, value in item.items() if value is not None}
    role = _check_role(given.get("role"), place)
    images = encode_images(given["images"], f"{place}.images") if "images" in given else None
    calls = (
        _tool_calls(given["tool_calls"], f"{place}.tool_calls") if "tool_calls" in given else None
    )
    texts = {key: validate_text(given[key], f"{place}.{key}") for key in _TEXT_KEYS if key in given}
    return Message(
        role=role,
        content=_content(given, place),
        images=images,
        tool_calls=calls,
        thinking=texts.get("thinking"),
        tool_name=texts.get("tool_name"),
        tool_call_id=texts.get("tool_call_id"),
    )


def _content(given: Mapping[str, object], place: str) -> str:
    content = given.get("content")
    if content is None and any(given.get(key) for key in ("images", "tool_calls", "thinking")):
        return ""
    if content is None:
        raise InvalidRequestError(
            f"{place} has no content", argument=f"{place}.content", hint='Add "content": "...".'
        )
    if isinstance(content, (list, tuple)):
        raise InvalidRequestError(
            f"{place}.content must be a string, got a list",
            argument=f"{place}.content",
            hint='Join the texts into one string; images go into "images".',
        )
    return validate_text(content, f"{place}.content")


def _check_key(key: object, place: str) -> str:
    if isinstance(key, str) and key in _KEYS:
        return key
    name = key if isinstance(key, str) else ""
    match = _ELSEWHERE.get(name)
    raise InvalidRequestError(
        f"{place} has the unknown key {shown(key)}",
        argument=f"{place}.{name}" if name else place,
        hint=(f'Did you mean "{match}"?' if match else did_you_mean(name, _KEYS))
        or f"A message has the keys {', '.join(_KEYS)}.",
    )


def _check_role(role: object, place: str) -> str:
    if isinstance(role, str) and role in ROLES:
        return str.__str__(role)
    roles = ", ".join(f'"{name}"' for name in ROLES)
    what = "has no role" if role is None else f"has the unknown role {shown(role)}"
    guess = did_you_mean(role, ROLES) if isinstance(role, str) else None
    raise InvalidRequestError(
        f"{place} {what}", argument=f"{place}.role", hint=guess or f"Use one of {roles}."
    )


def _tool_calls(calls: object, place: str) -> list[ToolCall]:
    if not is_iterable(calls):
        raise InvalidRequestError(
            f"{place} must be a list of tool calls, got {type(calls).__name__}", argument=place
        )
    return [_tool_call(call, f"{place}[{index}]") for index, call in enumerate(calls)]


def _tool_call(call: object, place: str) -> ToolCall:
    from ollama_api.models.tool_call import ToolCall

    if isinstance(call, ToolCall):
        call = call.to_dict()
    data = check_json(call, place)
    function = data.get("function") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(function, dict):
        raise InvalidRequestError(
            f"{place} has no function",
            argument=place,
            hint='Write it as {"function": {"name": "...", "arguments": {...}}}.',
        )
    if not isinstance(function.get("name"), str) or not function["name"]:
        raise InvalidRequestError(
            f"{place}.function has no name", argument=f"{place}.function.name"
        )
    arguments = function.setdefault("arguments", {})
    if not isinstance(arguments, dict):
        raise InvalidRequestError(
            f"{place}.function.arguments must be a dict, got {type(arguments).__name__}",
            argument=f"{place}.function.arguments",
            hint="Decode JSON text first: json.loads(...).",
        )
    return ToolCall.from_dict(data)
