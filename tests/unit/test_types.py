"""The names of argument types, as programs import them."""

from __future__ import annotations

from typing import get_args

import attrs
from ollama_api.models.message import Message

from manager import types


def test_a_message_as_a_dict_has_the_fields_of_a_message() -> None:
    fields = {field.name for field in attrs.fields(Message)} - {"additional_properties"}
    assert set(types.MessageDict.__annotations__) == fields


def test_every_name_is_there_at_run_time() -> None:
    assert {name for name in types.__all__ if hasattr(types, name)} == set(types.__all__)
    assert "developer" in get_args(types.Role)
