"""Compare the spec with a checkout of Ollama: ``python spec/difference.py path/to/ollama``.

Reads the routes in `server/routes.go`, the types in `api/types.go` and `docs/openapi.yaml` of the
checkout, and lists the operations, types and fields that it has and `ollama.yaml` lacks, and those
that `ollama.yaml` has and the code lacks. What the table in `README.md` explains is left out, and
an explanation of what is no difference is one. Exit status 1 says that there is something to do.
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

HERE = Path(__file__).parent
METHODS = ("get", "head", "post", "put", "patch", "delete")
ROUTES, TYPES, DOCUMENTED = "server/routes.go", "api/types.go", "docs/openapi.yaml"
_HERE = "only in ollama.yaml"

_ROUTE = re.compile(r'\b\w+\.(GET|HEAD|POST|PUT|PATCH|DELETE|Any)\(\s*"(/[^"]*)"')
_PARAMETER, _IN_BRACES = r"[:*](\w+)", r"{\1}"
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^(\w+)(?:\s+([^`\s][^`]*?))?\s*(?:`([^`]*)`)?$")
_JSON = re.compile(r'json:"([^"]*)"')
_EXPLAINED = re.compile(
    r"^\| `((?:operation|type|field|documented) [^`]+)` \| (.+?) \|$", re.MULTILINE
)
_STALE = "explained in spec/README.md, and no difference"
_GO_TYPES = {
    "string": "string",
    "bool": "boolean",
    "float32": "number",
    "float64": "number",
    "time.Time": "string",
    "time.Duration": "integer",
}


class Difference(NamedTuple):
    """Something that one side has and the other lacks, or has otherwise."""

    subject: str
    """What the table of explanations names, such as ``field ChatRequest.think``."""
    said: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.said}"


# ---------------------------------------------------------------------------------- Ollama's code


def routes(source: str) -> set[str]:
    """The operations in `server/routes.go`, such as ``GET /api/tags``."""
    found = _ROUTE.findall(_without_comments(source))
    return {f"{method.upper()} {re.sub(_PARAMETER, _IN_BRACES, path)}" for method, path in found}


def structs(source: str) -> dict[str, dict[str, str]]:
    """The fields of each struct in `api/types.go`: by JSON name the Go type."""
    raw = {name: list(_fields(body)) for name, body in _STRUCT.findall(_without_comments(source))}

    def flat(name: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for field, go_type in raw[name]:
            # A struct that is embedded lends its fields.
            found |= flat(go_type) if not field and go_type in raw else {field or go_type: go_type}
        return found

    return {name: flat(name) for name in raw}


def _fields(body: str) -> Iterator[tuple[str, str]]:
    """JSON name and Go type of each field; no name where a struct is embedded."""
    depth = 0
    for text in map(str.strip, body.splitlines()):
        inner, depth = depth, depth + text.count("{") - text.count("}")
        if inner and not depth and (tag := _JSON.search(text)):
            yield tag[1].partition(",")[0], "struct"  # the end of a struct without a name
        if inner or depth or not (found := _FIELD.match(text)):
            continue
        name, go_type, tags = found.groups()
        tag = _JSON.search(tags or "")
        json_name = tag[1].partition(",")[0] if tag else ""
        if json_name != "-" and name[0].isupper():
            yield json_name or ("" if go_type is None else name), go_type or name


def _without_comments(source: str) -> str:
    return re.sub(r"^\s*//.*\n|\s+//.*$", "", source, flags=re.MULTILINE)


def _json_type(go_type: str, known: Iterable[str]) -> str | None:
    """The JSON type that a Go type is written as; None where that is not plain."""
    bare = go_type.lstrip("*")
    if bare.startswith("[]"):
        return "array"
    if bare.startswith("map["):
        return "object"
    if re.fullmatch(r"u?int(8|16|32|64)?", bare):
        return "integer"
    return _GO_TYPES.get(bare)


# ---------------------------------------------------------------------------- two OpenAPI documents


def operations(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The operations of an OpenAPI document, by method and path."""
    return {
        f"{method.upper()} {path}": item[method]
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    }


def resolve(document: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a local reference."""
    while "$ref" in node:
        found: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        node = found
    return node


def fields_of(document: Mapping[str, Any], content: Mapping[str, Any]) -> set[str]:
    """The fields of a body, those inside others with a dot; ``.*`` for free-form objects."""
    found: set[str] = set()

    def visit(schema: Mapping[str, Any], at: str, above: tuple[str, ...]) -> None:
        name = schema.get("$ref", "")
        if name in above:
            return
        inner = resolve(document, schema)
        above = (*above, name) if name else above
        for choice in (*inner.get("oneOf", ()), *inner.get("anyOf", ()), *inner.get("allOf", ())):
            visit(choice, at, above)
        if "items" in inner:
            visit(inner["items"], at, above)
        if inner.get("type") == "object" and "properties" not in inner:
            found.add(f"{at}*")
        for field, of in inner.get("properties", {}).items():
            found.add(f"{at}{field}")
            visit(of, f"{at}{field}.", above)

    for kind in content.values():
        visit(kind.get("schema", {}), "", ())
    return found


# ------------------------------------------------------------------------------------ differences


def differences(spec: Mapping[str, Any], checkout: Path) -> list[Difference]:
    """Everything in which a checkout of Ollama and the spec differ."""

    def read(name: str) -> str:
        return (checkout / name).read_text(encoding="utf-8")

    documented = YAML(typ="safe").load(read(DOCUMENTED))
    return [
        *_operation_differences(spec, routes(read(ROUTES))),
        *_type_differences(spec, structs(read(TYPES))),
        *_documented_differences(spec, documented),
    ]


def _operation_differences(spec: Mapping[str, Any], theirs: set[str]) -> Iterator[Difference]:
    ours = set(operations(spec))
    for name in sorted(theirs - ours):
        yield Difference(f"operation {name}", f"only in Ollama's {ROUTES}")
    for name in sorted(ours - theirs):
        yield Difference(f"operation {name}", _HERE)


def _type_differences(
    spec: Mapping[str, Any], theirs: Mapping[str, Mapping[str, str]]
) -> Iterator[Difference]:
    schemas = spec["components"]["schemas"]
    ours = {name: of["properties"] for name, of in schemas.items() if "properties" in of}
    for name in sorted(set(theirs) - set(schemas)):
        yield Difference(f"type {name}", f"only in Ollama's {TYPES}")
    for name in sorted(set(ours) - set(theirs)):
        yield Difference(f"type {name}", _HERE)
    for name in sorted(set(ours) & set(theirs)):
        for field in sorted(set(theirs[name]) - set(ours[name])):
            said = f"only in Ollama's {TYPES}, {theirs[name][field]}"
            yield Difference(f"field {name}.{field}", said)
        for field in sorted(set(ours[name]) - set(theirs[name])):
            yield Difference(f"field {name}.{field}", _HERE)
        for field in sorted(set(ours[name]) & set(theirs[name])):
            there = _json_type(theirs[name][field], theirs)
            here = _our_type(resolve(spec, ours[name][field]))
            if there and here and there != here:
                said = f"{there} in Ollama's {TYPES}, {here} in ollama.yaml"
                yield Difference(f"field {name}.{field}", said)


def _our_type(schema: Mapping[str, Any]) -> str | None:
    kind = schema.get("type")
    kinds = [one for one in kind if one != "null"] if isinstance(kind, list) else [kind]
    return kinds[0] if len(kinds) == 1 else None


def _documented_differences(
    spec: Mapping[str, Any], documented: Mapping[str, Any]
) -> Iterator[Difference]:
    """What `docs/openapi.yaml` has and the spec lacks; that it lacks much is known."""
    ours = operations(spec)
    for name, operation in sorted(operations(documented).items()):
        if name not in ours:
            yield Difference(f"documented operation {name}", f"only in Ollama's {DOCUMENTED}")
            continue
        for part in ("request", "answer"):
            here = fields_of(spec, _content(spec, ours[name], part))
            there = fields_of(documented, _content(documented, operation, part))
            for field in sorted(there - here):
                if not _is_free(field, here) and not field.endswith("*"):
                    subject = f"documented field {name} {part} {field}"
                    yield Difference(subject, f"only in Ollama's {DOCUMENTED}")


def _content(
    document: Mapping[str, Any], operation: Mapping[str, Any], part: str
) -> Mapping[str, Any]:
    if part == "request":
        found = resolve(document, operation.get("requestBody", {}))
    else:
        responses = {str(status): of for status, of in operation["responses"].items()}
        found = resolve(document, responses.get("200", {}))
    content: Mapping[str, Any] = found.get("content", {})
    return content


def _is_free(field: str, known: set[str]) -> bool:
    """Whether a field stands in an object that may hold anything."""
    parts = field.split(".")
    return any(".".join([*parts[:count], "*"]) in known for count in range(len(parts)))


# ----------------------------------------------------------------------------------- explanations


def explanations(readme: str) -> dict[str, str]:
    """The table of `README.md`: by subject, which may hold ``*``, why it is as it is."""
    return dict(_EXPLAINED.findall(readme))


def unexplained(found: Iterable[Difference], explained: Mapping[str, str]) -> list[str]:
    """The differences without an explanation, and the explanations without a difference."""
    left = dict.fromkeys(explained)
    lines: list[str] = []
    for difference in found:
        patterns = [p for p in explained if fnmatch.fnmatchcase(difference.subject, p)]
        for pattern in patterns:
            left.pop(pattern, None)
        if not patterns:
            lines.append(str(difference))
    return [*lines, *(f"{pattern}: {_STALE}" for pattern in left)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the spec with a checkout of Ollama.")
    parser.add_argument("checkout", type=Path, help="a folder with Ollama's source")
    parser.add_argument("--all", action="store_true", help="list what is explained as well")
    arguments = parser.parse_args()
    lacking = [f for f in (ROUTES, TYPES, DOCUMENTED) if not (arguments.checkout / f).is_file()]
    if lacking:
        parser.error(f"{arguments.checkout} is no checkout of Ollama: it has no {lacking[0]}")
    spec = YAML(typ="safe").load((HERE / "ollama.yaml").read_text(encoding="utf-8"))
    found = differences(spec, arguments.checkout)
    explained = explanations((HERE / "README.md").read_text(encoding="utf-8"))
    lines = [str(one) for one in found] if arguments.all else unexplained(found, explained)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
