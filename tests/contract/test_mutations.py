"""A change of the spec does not go unnoticed: the tests of `test_spec.py` fail.

They are called on each mutation in this process. What they cannot know, since no server's answer
shows it, `codegen.sh --check` notices: see `tests/codegen/test_codegen.py`.
"""

from __future__ import annotations

import copy
import importlib.util
import inspect
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import validating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

TESTS = Path(__file__).with_name("test_spec.py")

Spec = dict[str, Any]


def fields(spec: Spec, schema: str) -> Any:
    return spec["components"]["schemas"][schema]["properties"]


def required(spec: Spec, schema: str) -> list[str]:
    found: list[str] = spec["components"]["schemas"][schema]["required"]
    return found


def drop_a_field_of_an_answer(spec: Spec) -> None:
    del fields(spec, "ChatResponse")["done_reason"]


def change_a_type_of_an_answer(spec: Spec) -> None:
    fields(spec, "ChatResponse")["total_duration"]["type"] = "string"


def require_a_field_of_an_answer(spec: Spec) -> None:
    required(spec, "ListModelResponse").append("remote_model")


def rename_an_operation(spec: Spec) -> None:
    spec["paths"]["/api/chat"]["post"]["operationId"] = "converse"


def move_a_path(spec: Spec) -> None:
    spec["paths"]["/api/running"] = spec["paths"].pop("/api/ps")


def change_a_method(spec: Spec) -> None:
    spec["paths"]["/api/delete"]["post"] = spec["paths"]["/api/delete"].pop("delete")


def forget_the_stream(spec: Spec) -> None:
    content = spec["paths"]["/api/generate"]["post"]["responses"]["200"]["content"]
    del content["application/x-ndjson"]


def deny_null(spec: Spec) -> None:
    fields(spec, "ListResponse")["models"]["type"] = "array"


def send_a_default(spec: Spec) -> None:
    fields(spec, "ChatRequest")["stream"]["default"] = True


def close_an_answer(spec: Spec) -> None:
    spec["components"]["schemas"]["ChatResponse"]["additionalProperties"] = False


def drop_an_operation(spec: Spec) -> None:
    del spec["paths"]["/api/me"]


def change_a_type_of_a_request(spec: Spec) -> None:
    fields(spec, "EmbedRequest")["input"] = {"type": "string", "description": "One text."}


def require_a_field_of_a_request(spec: Spec) -> None:
    required(spec, "CreateRequest").append("from")


MUTATIONS = [
    drop_a_field_of_an_answer,
    change_a_type_of_an_answer,
    require_a_field_of_an_answer,
    rename_an_operation,
    move_a_path,
    change_a_method,
    forget_the_stream,
    deny_null,
    send_a_default,
    close_an_answer,
    drop_an_operation,
    change_a_type_of_a_request,
    require_a_field_of_a_request,
]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[Spec], ModuleType]:
    """Import `test_spec.py` once more, with another spec than that of the file."""

    def load(spec: Spec) -> ModuleType:
        monkeypatch.setattr(validating, "spec", lambda: spec)
        found = importlib.util.spec_from_file_location(f"{__package__}.of_a_mutant", TESTS)
        assert found
        assert found.loader
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module

    return load


def failures(module: ModuleType) -> Iterator[str]:
    """Call the tests of a module, with each set of their parameters; those that fail."""
    tests = inspect.getmembers(module, inspect.isfunction)
    # What validates all of the spec takes longest, and notices least.
    for name, test in sorted(tests, key=lambda test: "valid" in test[0]):
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
        for chosen in itertools.product(*(cases(*mark.args) for mark in marks)):
            try:
                test(**{key: value for part in chosen for key, value in part.items()})
            except Exception as error:
                yield f"{name}: {type(error).__name__}: {error}"


def cases(names: str | tuple[str, ...], values: Any) -> list[dict[str, Any]]:
    if isinstance(names, str):
        return [{names: value} for value in values]
    return [dict(zip(names, row, strict=True)) for row in values]


def test_nothing_fails_without_a_mutation(load: Callable[[Spec], ModuleType]) -> None:
    assert list(failures(load(copy.deepcopy(validating.spec())))) == []


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_the_contract_tests_notice(
    mutate: Callable[[Spec], None], load: Callable[[Spec], ModuleType]
) -> None:
    spec = copy.deepcopy(validating.spec())
    mutate(spec)
    assert spec != validating.spec()
    assert next(failures(load(spec)), None) is not None
