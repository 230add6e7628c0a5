"""./codegen.sh gives the same bytes each time, and --check finds what is not generated."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash")

pytestmark = pytest.mark.skipif(BASH is None, reason="codegen.sh needs bash")

ASYNC_SHELL = '''"""A clock."""


class AsyncClock:
    """Ticks."""

    async def tick(self) -> int:
        """Tick."""
        return 1
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what code generation reads and writes, in a path that needs quoting."""
    root = tmp_path / "a b"
    root.mkdir()
    shutil.copy2(ROOT / "codegen.sh", root)
    shutil.copy2(ROOT / "pyproject.toml", root)
    ignore = shutil.ignore_patterns("__pycache__", "examples")
    shutil.copytree(ROOT / "spec", root / "spec", ignore=ignore)
    shutil.copytree(
        ROOT / "generated" / "ollama_api", root / "generated" / "ollama_api", ignore=ignore
    )
    return root


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


def contents(root: Path) -> dict[str, bytes]:
    folder = root / "generated" / "ollama_api"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_committed_client_is_what_the_spec_gives(project: Path) -> None:
    result = codegen(project, "--check")
    assert result.returncode == 0, result.stderr
    assert os.listdir(project / "generated") == ["ollama_api"]


def test_generating_again_gives_the_same_bytes_whatever_the_machine_is_set_to(
    project: Path,
) -> None:
    before = contents(project)
    (project / "generated" / "ollama_api" / "stale.py").write_text("")
    (project / "ruff.toml").write_text("line-length = 40\n[format]\nquote-style = 'single'\n")
    result = codegen(
        project, LC_ALL="tr_TR.UTF-8", PYTHONHASHSEED="7", COLUMNS="20", TZ="Asia/Tokyo"
    )
    assert result.returncode == 0, result.stderr
    assert contents(project) == before
    assert os.listdir(project / "generated") == ["ollama_api"]


def test_check_names_what_was_edited_added_and_removed(project: Path) -> None:
    client = project / "generated" / "ollama_api"
    with (client / "models" / "message.py").open("a") as file:
        file.write("# by hand\n")
    (client / "extra.py").write_text("")
    (client / "types.py").unlink()
    before = contents(project)
    result = codegen(project, "--check")
    assert result.returncode == 1
    assert result.stderr.splitlines()[:-1] == [
        "generated/ollama_api/extra.py: not generated from anything",
        "generated/ollama_api/models/message.py: differs",
        "generated/ollama_api/types.py: missing",
    ]
    assert "run: ./codegen.sh" in result.stderr
    assert contents(project) == before


def test_check_names_what_a_changed_spec_changes(project: Path) -> None:
    spec = project / "spec" / "ollama.yaml"
    text = spec.read_text(encoding="utf-8")
    assert "destination:" in text
    spec.write_text(text.replace("destination", "target"), encoding="utf-8")
    result = codegen(project, "--check")
    assert result.returncode == 1
    assert "generated/ollama_api/models/copy_request.py: differs" in result.stderr
    assert "chat_request.py" not in result.stderr


def test_a_warning_of_the_generator_is_a_failure_and_replaces_nothing(project: Path) -> None:
    spec = project / "spec" / "ollama.yaml"
    text = spec.read_text(encoding="utf-8")
    broken = text.replace("#/components/schemas/VersionResponse", "#/components/schemas/Nothing")
    assert broken != text
    spec.write_text(broken, encoding="utf-8")
    before = contents(project)
    result = codegen(project)
    assert result.returncode == 1
    assert "/api/version" in result.stderr
    assert contents(project) == before
    assert os.listdir(project / "generated") == ["ollama_api"]


def test_what_the_templates_do_not_know_is_refused(project: Path) -> None:
    spec = project / "spec" / "ollama.yaml"
    text = spec.read_text(encoding="utf-8")
    changed = text.replace(
        "      operationId: version\n",
        "      operationId: version\n"
        "      parameters: [{name: verbose, in: query, schema: {type: boolean}}]\n",
    )
    assert changed != text
    spec.write_text(changed, encoding="utf-8")
    result = codegen(project, "--check")
    assert result.returncode == 1
    assert "a query, header or cookie parameter in version" in result.stderr


def test_the_sync_shell_is_generated_and_checked(project: Path) -> None:
    source = project / "manager" / "_async"
    source.mkdir(parents=True)
    (source / "clock.py").write_text(ASYNC_SHELL)
    rules = project / "spec" / "unasync.py"
    text = rules.read_text(encoding="utf-8")
    start, end = text.index("NAMES: "), text.index("HEADER = ")
    empty = "NAMES: Mapping[str, str] = {}\nTEXTS: Mapping[str, str] = {}\n\n"
    rules.write_text(text[:start] + empty + text[end:], encoding="utf-8")

    assert "manager/_sync/clock.py: missing" in codegen(project, "--check").stderr
    assert codegen(project).returncode == 0
    assert (project / "manager" / "_sync" / "clock.py").read_text() == (
        "# generated from manager/_async/clock.py by codegen.sh - do not edit\n"
        + ASYNC_SHELL.replace("Async", "").replace("async ", "")
    )
    assert codegen(project, "--check").returncode == 0


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
