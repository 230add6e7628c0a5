"""What docs/architecture.md says about who may import what, held to."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import manager

PACKAGE = Path(manager.__file__).parent
TOP_LEVEL = PACKAGE / "top_level"
ALL = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)

PURE = """
    accumulate arguments cloud_requests config/proxy_url decoding default defaults
    embedding_arrays embedding_lists errors events extra_body failures hosts images in_flight
    json_values keep_alive messages missing model_requests names narrowing ndjson options
    progress quantities redaction requests schemas server_settings shown since spelling status
    timeouts tool_functions tools transport/addresses transport/call transport/content_coding
    transport/cookies transport/deadlines transport/destination transport/error_mapping
    transport/exceptions transport/http1 transport/no_proxy transport/observer transport/queue
    transport/retry transport/route transport/settings transport/tunnel types version
""".split()  # noqa: SIM905
IO = {
    "anyio",
    "asyncio",
    "httpcore",
    "httpx",
    "http",
    "multiprocessing",
    "requests",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "urllib",
}
SHELLS = {"_async", "_sync"}
# Programs of their own: they speak HTTP themselves.
HAND_WRITTEN_HTTP = {"simulator", "supervisor/probe.py", "supervisor/show.py"}
# How the methods differ on the wire: an answer to HEAD has no body.
HTTP_ITSELF = {"transport/http1.py", "transport/tunnel.py"}
VERBS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), path.name)


@functools.cache
def imported(path: Path, *, at_run_time_only: bool = True) -> frozenset[str]:
    """The full names of the modules that a module imports, inside functions too."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and at_run_time_only and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                visit(other)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree_of(path))
    return frozenset(found)


def within(path: Path, folders: set[str]) -> bool:
    name = relative(path)
    return any(name == folder or name.startswith(f"{folder}/") for folder in folders)


def test_pure_modules_import_no_io() -> None:
    for name in PURE:
        roots = {module.partition(".")[0] for module in imported(PACKAGE / f"{name}.py")}
        assert not roots & IO, name


def test_pure_modules_do_not_know_the_shells() -> None:
    shells = r"manager\.(_async|_sync|cli|demo|simulator|testing|waiting_\w+)\b"
    for name in PURE:
        for module in imported(PACKAGE / f"{name}.py", at_run_time_only=False):
            assert not re.match(shells, module), name
            assert not re.match(r"ollama_api\.api\b", module), name


def test_nothing_else_knows_the_command_line_and_the_demo() -> None:
    for path in PACKAGE.rglob("*.py"):
        if not within(path, {"cli", "demo", "top_level"}):
            for module in imported(path, at_run_time_only=False):
                assert not re.match(r"manager\.(cli|demo)\b", module), path


def test_nothing_else_knows_what_is_for_tests() -> None:
    for path in ALL:
        if not within(path, {"testing", "top_level"}):
            for module in imported(path, at_run_time_only=False):
                assert not re.match(r"manager\.testing\b|_?pytest\b", module), relative(path)


def test_what_is_for_tests_knows_the_simulator_only() -> None:
    for path in (PACKAGE / "testing").rglob("*.py"):
        for module in imported(path, at_run_time_only=False):
            root = module.partition(".")[0]
            if root == "manager":
                assert re.match(r"manager\.(errors|simulator|testing)\b", module), relative(path)
            else:
                assert root in sys.stdlib_module_names, f"{relative(path)} imports {module}"


def test_the_supervisor_imports_the_standard_library_and_errors_only() -> None:
    for path in (PACKAGE / "supervisor").rglob("*.py"):
        for module in imported(path):
            root = module.partition(".")[0]
            if root == "manager":
                assert re.match(r"manager$|manager\.(errors|supervisor)\b", module), relative(path)
            else:
                assert root in sys.stdlib_module_names, f"{relative(path)} imports {module}"


def test_the_supervisor_never_looks_at_the_wall_clock() -> None:
    # Whoever sets the clock back or forward changes none of its time limits.
    for path in (PACKAGE / "supervisor").rglob("*.py"):
        assert not {m for m in imported(path) if m.startswith("datetime")}, relative(path)
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                words = (node.value.id, node.attr)
                wall = {"time", "time_ns", "localtime", "gmtime", "CLOCK_REALTIME"}
                assert words[0] != "time" or words[1] not in wall, f"{relative(path)}: {words}"
            elif isinstance(node, ast.ImportFrom):
                assert node.module != "time", relative(path)


def test_the_simulator_is_standard_library_only() -> None:
    for path in (PACKAGE / "simulator").rglob("*.py"):
        for module in imported(path):
            root = module.partition(".")[0]
            assert root == "manager" or root in sys.stdlib_module_names, relative(path)


def test_only_the_shells_use_the_operations() -> None:
    for path in ALL:
        if not within(path, SHELLS):
            for module in imported(path, at_run_time_only=False):
                assert not module.startswith("ollama_api.api"), relative(path)


def test_httpx_is_loaded_by_its_adapters_only() -> None:
    for path in ALL:
        if not re.match(r"transport/(\w+/)?httpx_\w+\.py", relative(path)):
            roots = {module.partition(".")[0] for module in imported(path)}
            assert "httpx" not in roots, relative(path)


def test_what_is_below_httpx_is_not_touched() -> None:
    for path in ALL:
        roots = {module.partition(".")[0] for module in imported(path, at_run_time_only=False)}
        assert not roots & {"anyio", "h11", "httpcore", "sniffio"}, relative(path)


def test_no_module_of_others_is_changed_and_no_private_name_of_theirs_is_used() -> None:
    ours = {"manager", "ollama_api", "ollama_manager_entry_points"}
    for path in ALL:
        tree = tree_of(path)
        others: set[str] = set()
        for node in ast.walk(tree):
            where = f"{relative(path)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                others |= {
                    (alias.asname or alias.name).partition(".")[0]
                    for alias in node.names
                    if alias.name.partition(".")[0] not in ours
                }
                for alias in node.names:
                    assert not re.search(r"(^|\.)_[a-z]", alias.name), where
            elif isinstance(node, ast.ImportFrom):
                root = (node.module or "").partition(".")[0]
                if root not in {*ours, "__future__"}:
                    assert not re.search(r"(^|\.)_[a-z]", node.module or ""), where
                    for alias in node.names:
                        assert not alias.name.startswith("_"), where
                        others.add(alias.asname or alias.name)
        for node in ast.walk(tree):
            where = f"{relative(path)}:{getattr(node, 'lineno', 0)}"
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in others
            ):
                private = re.match(r"_[a-z]", node.attr)
                assert not private or node.attr in _DOCUMENTED, f"{where}: {node.attr}"
                assert isinstance(node.ctx, ast.Load), f"{where}: a name of others is set"
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                # run by its path, the simulator makes the package that it belongs to
                is_own = relative(path) == "simulator/command.py"
                assert ast.unparse(node.value) != "sys.modules" or is_own, where


# Private in form only: the standard library documents them.
_DOCUMENTED = {"_exit"}


def test_the_shells_do_not_import_each_other() -> None:
    for shell, other in (("_async", "_sync"), ("_sync", "_async")):
        for path in (PACKAGE / shell).glob("*.py"):
            assert not any(
                module.startswith(f"manager.{other}")
                for module in imported(path, at_run_time_only=False)
            )


def docstrings(tree: ast.Module) -> set[ast.Constant]:
    """Strings that stand alone: docstrings of modules, classes, functions and attributes."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def test_no_url_path_and_no_verb_is_written_by_hand() -> None:
    for path in ALL:
        if within(path, HAND_WRITTEN_HTTP | HTTP_ITSELF):
            continue
        tree = tree_of(path)
        explanations = docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if node in explanations:
                    continue
                where = f"{relative(path)}:{node.lineno}: {node.value!r}"
                assert not re.search(r"(?<![\w.])/(api|v1|v2)/", node.value), where
                assert node.value not in VERBS, where


def test_every_module_says_what_it_is() -> None:
    for path in ALL:
        tree = tree_of(path)
        assert ast.get_docstring(tree) or not tree.body, relative(path)


def modules_after(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


HEAVY = {
    "attrs",
    "attr",
    "httpx",
    "msgspec",
    "numpy",
    "ollama_api",
    "pydantic",
    "rich",
    "simdjson",
    "typer",
    "watchdog",
    "asyncio",
    "ssl",
    "socket",
    "subprocess",
}


def test_importing_manager_imports_nothing_else() -> None:
    loaded = {name.partition(".")[0] for name in modules_after("import manager")}
    assert not loaded & HEAVY
    ours = {name for name in modules_after("import manager") if name.startswith("manager.")}
    assert not ours


def test_errors_are_cheap_to_import() -> None:
    statement = "from manager import OllamaManagerError, RequestTimeoutError"
    loaded = {name.partition(".")[0] for name in modules_after(statement)}
    assert not loaded & HEAVY


def test_the_classes_are_cheap_to_import() -> None:
    for name in ("OllamaManager", "AsyncOllamaManager"):
        loaded = modules_after(f"from manager import {name}")
        assert f"manager.{'_async' if name.startswith('Async') else '_sync'}.manager" in loaded
        assert not {module.partition(".")[0] for module in loaded} & {*HEAVY, "inspect", "logging"}
        assert not loaded & {"manager.config", "manager.requests", "manager.timeouts"}


ENTRY_POINTS = "ollama_manager_entry_points"


def test_the_plugin_for_pytest_loads_nothing_else() -> None:
    plugin = f"{ENTRY_POINTS}.pytest_plugin"
    loaded = modules_after(f"import pytest; before |= set(sys.modules); import {plugin}")
    assert loaded == {ENTRY_POINTS, plugin}


def test_the_console_script_loads_the_standard_library_only() -> None:
    loaded = modules_after(f"import {ENTRY_POINTS}.console")
    own = {name for name in loaded if name.partition(".")[0] == ENTRY_POINTS}
    assert own == {f"{ENTRY_POINTS}{name}" for name in ("", ".console", ".shadowing")}
    others = {name.partition(".")[0] for name in loaded - own}
    assert others <= sys.stdlib_module_names - {*HEAVY, "json", "pathlib"}


def test_entry_points_import_the_package_within_functions_only() -> None:
    for path in TOP_LEVEL.rglob("*.py"):
        for module in imported_at_once(path):
            allowed = {ENTRY_POINTS, "pytest", *sys.stdlib_module_names}
            assert module.partition(".")[0] in allowed, relative(path)


def imported_at_once(path: Path) -> set[str]:
    """The modules that a module imports when it is imported itself."""
    found: set[str] = set()
    for node in tree_of(path).body:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_a_sync_manager_does_without_asyncio() -> None:
    loaded = modules_after("from manager import OllamaManager; OllamaManager().close()")
    assert "manager._sync.transport" in loaded
    assert "asyncio" not in loaded
    assert not {module for module in loaded if module.startswith("manager._async")}


def test_what_a_manager_is_made_of_is_loaded_when_used() -> None:
    for shell in SHELLS:
        late = import_module(f"manager.{shell}.late")
        path = PACKAGE / shell / "late.py"
        at_run_time = {(home, name) for home, names in late._MODULES.items() for name in names}
        for_type_checkers = {
            (node.module, alias.name)
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        } - {("__future__", "annotations"), ("typing", "TYPE_CHECKING")}
        assert at_run_time == for_type_checkers
        for home, name in at_run_time:
            import_module(home)
            value = getattr(late, name)
            assert value is getattr(sys.modules[home], name)
            assert vars(late)[name] is value, "found once"
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = late.nothing


def test_managers_leave_what_is_optional_alone() -> None:
    loaded = {
        name.partition(".")[0]
        for name in modules_after("from manager import AsyncOllamaManager, OllamaManager")
    }
    assert not loaded & {"numpy", "pydantic", "rich", "simdjson", "typer", "watchdog", "dateutil"}


def test_every_public_name_is_there() -> None:
    for name in manager.__all__:
        value = getattr(manager, name)
        assert value is not None
        home = getattr(value, "__module__", None)
        if isinstance(home, str) and home.startswith("manager"):
            assert getattr(import_module(home), name) is value
    assert set(manager.__all__) <= set(dir(manager))
    assert len(set(manager.__all__)) == len(manager.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = manager.nothing  # type: ignore[attr-defined]


def test_public_names_are_sorted_and_typed() -> None:
    def order(name: str) -> tuple[int, str]:  # constants, classes, the rest, as ruff sorts
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert list(manager.__all__) == sorted(manager.__all__, key=order)
    body = (PACKAGE / "__init__.py").read_text("utf-8")
    for name in manager.__all__:
        assert f"import {name} as {name}" in body, "type checkers must see it, too"
    assert (PACKAGE / "py.typed").exists()
