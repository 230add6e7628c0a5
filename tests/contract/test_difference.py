"""spec/difference.py finds what a checkout of Ollama has and the spec lacks, and the other way."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import validating

ROOT = Path(__file__).parents[2]

_GO = {"string": "string", "boolean": "bool", "integer": "int64", "number": "float64"}
_DOCUMENTED = {
    "paths": {
        "/api/chat": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Chat"}}
                    }
                },
                "responses": {
                    200: {"content": {"application/json": {"schema": {"type": "object"}}}}
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Chat": {
                "type": "object",
                "properties": {
                    "model": {"type": "string"},
                    "messages": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "content": {"type": "string"},
                                "tool_calls": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Call"},
                                },
                            },
                        },
                    },
                },
            },
            "Call": {
                "type": "object",
                "properties": {
                    "function": {
                        "type": "object",
                        "properties": {
                            "description": {"type": "string"},
                            "arguments": {
                                "type": "object",
                                "properties": {"any": {"type": "string"}},
                            },
                        },
                    }
                },
            },
        }
    },
}
# What spec/README.md explains, so that a checkout without it is a difference as well.
_EXPLAINED_TYPES = (
    "AuthorizationError", "StatusError", "TokenResponse", "Metrics", "Runner", "ToolProperty",
    "ToolCallFunctionArguments", "ToolFunctionParameters", "ToolPropertiesMap",
)  # fmt: skip
_LONE_FIELD = 'struct {\n\tA string `json:"a"`\n}\n'


@functools.cache
def difference() -> Any:
    """The command, as a module."""
    path = ROOT / "spec" / "difference.py"
    found = importlib.util.spec_from_file_location("difference", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


class Checkout:
    """A folder with what the spec says, written as Ollama's source would say it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        spec = validating.spec()
        routes = [
            f'\tr.{operation.method}("{operation.path.replace("{", ":").replace("}", "")}", s.H)'
            for operation in validating.operations().values()
        ]
        routes.append('\tr.POST("/v1/chat/completions", middleware.ChatMiddleware(), s.H)')
        self.write("server/routes.go", "func routes() {\n" + "\n".join(routes) + "\n}\n")
        types = [
            f"type {name} struct {{\n{''.join(map(self._field, of['properties'].items()))}}}\n"
            for name, of in spec["components"]["schemas"].items()
            if "properties" in of and name not in ("ErrorResponse", "VersionResponse")
        ]
        types += [
            f'type {name} struct {{\n\tA string `json:"a"`\n}}\n' for name in _EXPLAINED_TYPES
        ]
        self.write("api/types.go", "package api\n\n" + "\n".join(types))
        documented = yaml.safe_load(yaml.safe_dump(_DOCUMENTED))
        answer = {
            "properties": {
                "message": documented["components"]["schemas"]["Chat"]["properties"]["messages"][
                    "items"
                ]
            }
        }
        chat = documented["paths"]["/api/chat"]["post"]
        chat["responses"][200]["content"]["application/json"]["schema"] = answer
        self.write("docs/openapi.yaml", yaml.safe_dump(documented))

    @staticmethod
    def _field(field: tuple[str, dict[str, object]]) -> str:
        name, of = field
        kind = of.get("type")
        kind = next((k for k in kind if k != "null"), None) if isinstance(kind, list) else kind
        go_type = _GO.get(str(kind), "[]Any" if kind == "array" else "Any")
        return (
            f'\t// {name} is a field.\n\tF{name} *{go_type} `json:"{name},omitempty"` // so it is\n'
        )

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new, 1))

    def compared(self) -> list[str]:
        command, readme = difference(), ROOT / "spec" / "README.md"
        explained = command.explanations(readme.read_text(encoding="utf-8"))
        found = command.differences(validating.spec(), self.root)
        lines: list[str] = command.unexplained(found, explained)
        return lines


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_checkout_that_is_as_the_spec_says_has_no_differences(checkout: Checkout) -> None:
    assert checkout.compared() == []


ROUTES, TYPES, DOCUMENTED = "server/routes.go", "api/types.go", "docs/openapi.yaml"
CHANGES: list[tuple[str, str, str, list[str]]] = [
    (
        ROUTES,
        "func routes() {\n",
        'func routes() {\n\tr.POST("/api/tune", s.Tune)\n',
        ["operation POST /api/tune: only in Ollama's server/routes.go"],
    ),
    (
        ROUTES,
        "func routes() {\n",
        'func routes() {\n\tgroup.DELETE("/api/runs/:id", s.H)\n',
        ["operation DELETE /api/runs/{id}: only in Ollama's server/routes.go"],
    ),
    (
        ROUTES,
        '\tr.GET("/api/ps", s.H)\n',
        '\t// r.GET("/api/ps", s.H)\n',
        ["operation GET /api/ps: only in ollama.yaml"],
    ),
    (
        ROUTES,
        '\tr.POST("/v1/chat/completions"',
        '\t// r.POST("/v1/chat/completions"',
        ["operation * /v1/*: explained in spec/README.md, and no difference"],
    ),
    (
        TYPES,
        "type ChatRequest struct {\n",
        (
            'type ChatRequest struct {\n\tNovelty *string `json:"novelty,omitempty"`\n\n'
            '\thidden int\n\tSecret string `json:"-"`\n'
        ),
        ["field ChatRequest.novelty: only in Ollama's api/types.go, *string"],
    ),
    (
        TYPES,
        "type Options struct {\n",
        (
            'type Heating struct {\n\tHeat float32 `json:"heat"`\n}\n\n'
            "type Options struct {\n\tHeating\n"
        ),
        [
            "type Heating: only in Ollama's api/types.go",
            "field Options.heat: only in Ollama's api/types.go, float32",
        ],
    ),
    (
        TYPES,
        "type ListResponse struct {\n",
        (
            'type ListResponse struct {\n\tPaging struct {\n\t\tNext string `json:"next"`\n'
            '\t} `json:"paging"`\n'
        ),
        ["field ListResponse.paging: only in Ollama's api/types.go, struct"],
    ),
    (
        TYPES,
        'Fsource *string `json:"source,omitempty"`',
        'Fsource *string `json:"-"`',
        ["field CopyRequest.source: only in ollama.yaml"],
    ),
    (
        TYPES,
        "Fverbose *bool",
        "Fverbose *int64",
        ["field ShowRequest.verbose: integer in Ollama's api/types.go, boolean in ollama.yaml"],
    ),
    (
        TYPES,
        "package api\n",
        f"package api\n\ntype Session {_LONE_FIELD}",
        ["type Session: only in Ollama's api/types.go"],
    ),
    (TYPES, "type Tensor struct {", "type tensor int {", ["type Tensor: only in ollama.yaml"]),
    (
        DOCUMENTED,
        "paths:\n",
        "paths:\n  /api/me:\n    get:\n      responses: {}\n",
        ["documented operation GET /api/me: only in Ollama's docs/openapi.yaml"],
    ),
    (
        DOCUMENTED,
        "        model:\n",
        "        novelty:\n          type: string\n        model:\n",
        ["documented field POST /api/chat request novelty: only in Ollama's docs/openapi.yaml"],
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "lines"), CHANGES, ids=lambda at: str(at)[:40])
def test_a_difference_is_a_line(
    checkout: Checkout, file: str, old: str, new: str, lines: list[str]
) -> None:
    checkout.change(file, old, new)
    assert checkout.compared() == lines


def test_the_command_says_what_there_is_to_do(checkout: Checkout, tmp_path: Path) -> None:
    checkout.change(*CHANGES[0][:3])
    told = command(str(tmp_path))
    assert (told.returncode, told.stdout.splitlines()) == (1, CHANGES[0][3])
    assert "operation POST /v1/chat/completions" in command("--all", str(tmp_path)).stdout


def test_what_is_no_checkout_is_told(tmp_path: Path) -> None:
    told = command(str(tmp_path))
    assert told.returncode == 2
    assert "server/routes.go" in told.stderr


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "spec" / "difference.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
