"""A change of the spec does not go unnoticed: the contract tests fail, or the generated client.

Each mutation is made in a copy. The tests of `test_spec.py` are called on it in this process;
only what they cannot know, since no server's answer shows it, is left to `codegen.sh --check`.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from . import validating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash")

Spec = dict[str, Any]

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


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


def drop_a_field_of_a_request(spec: Spec) -> None:
    del fields(spec, "ChatRequest")["think"]


def require_a_field_of_a_request(spec: Spec) -> None:
    required(spec, "CreateRequest").append("from")


def require_less_of_a_request(spec: Spec) -> None:
    required(spec, "CopyRequest").remove("destination")


def move_a_release(spec: Spec) -> None:
    spec["paths"]["/api/me"]["post"]["x-since"] = "v0.13.0"


NOTICED_BY_TESTS = [
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
NOTICED_BY_CODEGEN = {
    drop_a_field_of_a_request: "models/chat_request.py",
    require_less_of_a_request: "models/copy_request.py",
    move_a_release: "since.py",
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Callable[[Spec], None] | None], Path]:
    """Copy what contract tests and code generation read, with a mutation of the spec."""

    def write(mutate: Callable[[Spec], None] | None) -> Path:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "spec", tmp_path / "spec", ignore=ignore)
        spec = copy.deepcopy(validating.spec())
        if mutate is not None:
            mutate(spec)
            assert spec != validating.spec()
        text = yaml.dump(spec, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        (tmp_path / "spec" / "ollama.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


# ---------------------------------------------------------------------------------- contract tests


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], ModuleType]]:
    """Import `test_spec.py` so that it reads the spec of a copy."""
    package = "contract_of_a_mutant"

    def load(root: Path) -> ModuleType:
        folder = root / package / "contract"
        folder.mkdir(parents=True)
        for name in ("test_spec.py", "validating.py"):
            shutil.copy(Path(__file__).parent / name, folder)
        monkeypatch.syspath_prepend(str(root))
        return importlib.import_module(f"{package}.contract.test_spec")

    yield load
    for name in [name for name in sys.modules if name.startswith(package)]:
        del sys.modules[name]


def failures(module: ModuleType) -> Iterator[str]:
    """Call the tests of a module, with each set of their parameters; those that fail."""
    for name, test in inspect.getmembers(module, inspect.isfunction):
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


def test_nothing_fails_without_a_mutation(
    write: Callable[..., Path], load: Callable[[Path], ModuleType]
) -> None:
    assert list(failures(load(write(None)))) == []


@pytest.mark.parametrize("mutate", NOTICED_BY_TESTS, ids=lambda mutate: mutate.__name__)
def test_the_contract_tests_notice(
    mutate: Callable[[Spec], None],
    write: Callable[..., Path],
    load: Callable[[Path], ModuleType],
) -> None:
    try:
        module = load(write(mutate))
    except Exception:
        return  # pytest fails at the collection of such a module
    assert next(failures(module), None) is not None


# ---------------------------------------------------------------------------------- generated code


def check(root: Path) -> subprocess.CompletedProcess[str]:
    assert BASH
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("codegen.sh", "pyproject.toml"):
        shutil.copy2(ROOT / name, root)
    generated = Path("generated") / "ollama_api"
    shutil.copytree(ROOT / generated, root / generated, ignore=ignore)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [BASH, str(root / "codegen.sh"), "--check"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.skipif(BASH is None, reason="codegen.sh needs bash")
def test_the_generated_client_notices_each(write: Callable[..., Path]) -> None:
    """All in one copy, since they change different files: generating takes seconds."""

    def mutate(spec: Spec) -> None:
        for one in NOTICED_BY_CODEGEN:
            one(spec)

    result = check(write(mutate))
    assert result.returncode == 1
    assert result.stderr.splitlines()[:-1] == [
        f"generated/ollama_api/{name}: differs" for name in NOTICED_BY_CODEGEN.values()
    ]


@pytest.mark.skipif(BASH is None, reason="codegen.sh needs bash")
def test_the_generated_client_is_that_of_the_spec_without_a_mutation(
    write: Callable[..., Path],
) -> None:
    result = check(write(None))
    assert result.returncode == 0, result.stderr
