"""The tables of docs/compatibility.md: ``python -m tests.contract.compatibility`` prints them."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

from . import comparing, validating

# Which methods of a manager ask for an operation; tests/managers/test_reach.py holds the rest.
METHODS = {
    "chat": "`chat`, `chat_parsed`, `load_model`, `unload_model`",
    "embed": "`embed`, `embed_array`",
    "blob_exists": "`create_model(files=)`",
    "create_blob": "`create_model(files=)`",
    "show_model": "`show_model`, `has_model`",
    "pull_model": "`pull_model`, `ensure_model`",
    "root": "",
    "root_head": "",
    "version_head": "",
    "list_models_head": "",
    "embeddings": "",
    "delete_user_key": "",
}


def operations_table() -> str:
    """Every operation: which method asks for it, since when it is there, what servers answered."""
    versions = sorted(comparing.EXPLAINED, key=_numbers)
    seen = {version: _statuses(version) for version in versions}
    lines = [
        "| operation | method | since | " + " | ".join(versions) + " |",
        "|---|---|---|" + "---|" * len(versions),
    ]
    for operation in validating.operations().values():
        since = operation.described.get("x-since", "")
        method = METHODS.get(operation.id, f"`{operation.id}`")
        cells = [seen[version].get(operation.id, "not asked") for version in versions]
        where = f"`{operation.method} {operation.path}`"
        lines.append(f"| {where} | {method} | {since} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _statuses(version: str) -> dict[str, str]:
    """By operation, the statuses that a real server answered with, each once."""
    found: dict[str, Counter[int]] = {}
    for request, answer in comparing.recorded(version).items():
        method, path = request.split(" ", 2)[:2]
        operation = validating.operation_at(method, path)
        if operation is not None:
            found.setdefault(operation.id, Counter())[answer.status] += 1
    return {name: ", ".join(str(status) for status in sorted(of)) for name, of in found.items()}


def differences_table() -> str:
    """What an older server answers otherwise than the newest, with the reason."""
    newest = comparing.EXPLAINED[_newest()]
    lines = ["| version | request | answer | why |", "|---|---|---|---|"]
    for version in sorted(comparing.EXPLAINED, key=_numbers):
        recorded = comparing.recorded(version)
        for request, why in comparing.EXPLAINED[version].items():
            if request not in newest:
                status = str(recorded[request].status)
                lines.append(f"| {version} | `{_short(request)}` | {status} | {why} |")
        for request, why in comparing.UNSENT.get(version, {}).items():
            lines.append(f"| {version} | `{_short(request)}` | none | {why} |")
    return "\n".join(lines)


def fields_table() -> str:
    """Which release brought which field, operation and type."""
    found = sorted(
        {(node["x-since"], name) for name, node in _dated()}, key=lambda at: (_numbers(at[0]), at)
    )
    lines = ["| release | brought |", "|---|---|"]
    for release, entries in groupby(found, key=lambda at: at[0]):
        lines.append(f"| {release} | " + ", ".join(f"`{name}`" for _, name in entries) + " |")
    return "\n".join(lines)


def _dated() -> list[tuple[str, dict[str, Any]]]:
    spec = validating.spec()
    found: list[tuple[str, dict[str, Any]]] = [
        (f"{operation.method} {operation.path}", dict(operation.described))
        for operation in validating.operations().values()
    ]
    for name, schema in spec["components"]["schemas"].items():
        found.append((name, schema))
        fields = schema.get("properties", {})
        found += [(f"{name}.{field}", of) for field, of in fields.items()]
    return [(name, node) for name, node in found if "x-since" in node]


def _newest() -> str:
    return max(comparing.EXPLAINED, key=_numbers)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.removeprefix("v").partition("-")[0].split(".")]


def _short(request: str) -> str:
    return request if len(request) <= 110 else request[:107] + "..."


TABLES = (operations_table, differences_table, fields_table)

if __name__ == "__main__":
    print("\n\n".join(table() for table in TABLES))
