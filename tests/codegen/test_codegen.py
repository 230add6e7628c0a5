"""./codegen.sh gives the same bytes each time, and --check finds what is not generated."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash")

pytestmark = pytest.mark.skipif(BASH is None, reason="codegen.sh needs bash")

ASYNC_SHELL = '''"""A clock."""

import enum


class AsyncClock:
    """Ticks."""

    async def tick(self) -> int:
        """Tick."""
        return 1
'''
SYNC_SHELL = (
    "# generated from manager/_async/clock.py by codegen.sh - do not edit\n"
    + ASYNC_SHELL.replace("Async", "").replace("async ", "").replace("\nimport enum\n", "")
)

# A spec of one operation: the generator is at it for a moment, not for seconds.
TINY = """
openapi: 3.1.0
info: {title: Tiny, version: "1"}
paths:
  /api/version:
    get:
      operationId: version
      tags: [server]
      summary: Get the version.
      description: The release.
      x-since: v0.6.0
      responses:
        "200":
          description: The version.
          content: {application/json: {schema: {$ref: '#/components/schemas/VersionResponse'}}}
components:
  schemas:
    VersionResponse:
      type: object
      description: The version of the server.
      additionalProperties: true
      required: [version]
      properties:
        version: {type: string, description: The release.}
"""
OF_TINY = {
    "__init__.py",
    "api/__init__.py",
    "api/server/__init__.py",
    "api/server/version.py",
    "models/__init__.py",
    "models/version_response.py",
    "py.typed",
    "since.py",
    "types.py",
}

# Changes of the spec that no answer of a server shows, so that the contract tests cannot notice
# them; by the file of the client that differs.
CHANGES = {
    "models/chat_request.py": (
        r"(    ChatRequest:\n(?s:.*?))        think:\n(?: {10}.*\n)+",
        r"\1",
    ),
    "models/copy_request.py": (r"required: \[source, destination\]", "required: [source]"),
    "since.py": (r"(operationId: whoami\n(?s:.*?)x-since: v0\.12)\.0", r"\1.9"),
}

MACHINE = {"LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7", "COLUMNS": "20", "TZ": "Asia/Tokyo"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what code generation reads and writes, in a path that needs quoting."""
    root = tmp_path / "a b"
    root.mkdir()
    shutil.copy2(ROOT / "codegen.sh", root)
    shutil.copy2(ROOT / "pyproject.toml", root)
    # Programs that generate find it as they go up, where the machine has one.
    (root / "ruff.toml").write_text("line-length = 40\n[format]\nquote-style = 'single'\n")
    ignore = shutil.ignore_patterns("__pycache__", "examples")
    shutil.copytree(ROOT / "spec", root / "spec", ignore=ignore)
    shutil.copytree(
        ROOT / "generated" / "ollama_api", root / "generated" / "ollama_api", ignore=ignore
    )
    return root


def add_a_shell(project: Path) -> Path:
    """Give it an async shell, and rules of which none is too much; where the sync one belongs."""
    source = project / "manager" / "_async"
    source.mkdir(parents=True)
    (source / "clock.py").write_text(ASYNC_SHELL)
    rules = project / "spec" / "unasync.py"
    text = rules.read_text(encoding="utf-8")
    start, end = text.index("NAMES: "), text.index("# Modules that block")
    empty = "NAMES: Mapping[str, str] = {}\nTEXTS: Mapping[str, str] = {}\n\n"
    rules.write_text(text[:start] + empty + text[end:], encoding="utf-8")
    return project / "manager" / "_sync"


def write_spec(project: Path, text: str) -> None:
    (project / "spec" / "ollama.yaml").write_text(text, encoding="utf-8")


def changed(text: str, pattern: str, replacement: str) -> str:
    result, count = re.subn(pattern, replacement, text, count=1)
    assert count, pattern
    assert result != text
    return result


def codegen(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    assert BASH
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [BASH, str(root / "codegen.sh"), *arguments],
        env={**os.environ, "PATH": path, **environment},
        cwd=root.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def contents(root: Path) -> dict[str, bytes]:
    return files(root / "generated" / "ollama_api")


def test_the_committed_client_is_what_the_spec_gives_whatever_the_machine_is_set_to(
    project: Path,
) -> None:
    sync = add_a_shell(project)
    sync.mkdir()
    (sync / "clock.py").write_text(SYNC_SHELL)
    before = files(project)
    result = codegen(project, "--check", TMPDIR=str(project), **MACHINE)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "codegen.sh: generated code is up to date\n"
    assert files(project) == before


def test_check_names_what_was_edited_added_and_removed_and_what_a_changed_spec_changes(
    project: Path,
) -> None:
    add_a_shell(project)
    spec = (ROOT / "spec" / "ollama.yaml").read_text(encoding="utf-8")
    for change in CHANGES.values():
        spec = changed(spec, *change)
    write_spec(project, spec)
    client = project / "generated" / "ollama_api"
    with (client / "models" / "message.py").open("a") as file:
        file.write("# by hand\n")
    (client / "extra.py").write_text("")
    (client / "types.py").unlink()
    before = files(project)
    result = codegen(project, "--check")
    assert result.returncode == 1
    assert result.stdout == ""
    said = {
        "extra.py": "not generated from anything",
        "models/message.py": "differs",
        "types.py": "missing",
        **dict.fromkeys(CHANGES, "differs"),
    }
    *lines, last = result.stderr.splitlines()
    assert lines == [
        *(f"generated/ollama_api/{name}: {what}" for name, what in sorted(said.items())),
        "manager/_sync/clock.py: missing",
    ]
    assert "run: ./codegen.sh" in last
    assert files(project) == before


def test_what_is_generated_takes_the_place_of_what_was_there(project: Path) -> None:
    sync = add_a_shell(project)
    sync.mkdir()
    (sync / "stale.py").write_text("")
    before = contents(project)
    write_spec(project, TINY)
    result = codegen(project, **MACHINE)
    assert result.returncode == 0, result.stderr
    after = contents(project)
    assert set(after) == OF_TINY
    assert after["types.py"] == before["types.py"]
    assert b'\nOPERATIONS: Final[Mapping[str, str]] = {"version": "v0.6.0"}\n' in after["since.py"]
    assert files(sync) == {"clock.py": SYNC_SHELL.encode()}
    assert os.listdir(project / "generated") == ["ollama_api"]


def test_a_warning_of_the_generator_is_a_failure_and_replaces_nothing(project: Path) -> None:
    write_spec(project, changed(TINY, "schemas/VersionResponse", "schemas/Nothing"))
    before = files(project)
    result = codegen(project)
    assert result.returncode == 1
    assert "/api/version" in result.stderr
    assert files(project) == before
    assert os.listdir(project / "generated") == ["ollama_api"]


def test_what_the_templates_do_not_know_is_refused(project: Path) -> None:
    query = "parameters: [{name: verbose, in: query, schema: {type: boolean}}]"
    write_spec(project, changed(TINY, "      x-since", rf"      {query}\n\g<0>"))
    result = codegen(project, "--check")
    assert result.returncode == 1
    assert "a query, header or cookie parameter in version" in result.stderr


def test_missing_tools_are_one_line_with_the_remedy(project: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sed", "dirname"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    result = codegen(project, "--check", PATH=str(tools))
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "make venv" in result.stderr


def test_an_unknown_argument_is_refused(project: Path) -> None:
    result = codegen(project, "--chekc")
    assert result.returncode == 2
    assert "--check" in result.stderr
