"""docs/testing.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ollama_manager_entry_points.pytest_plugin import __name__ as plugin_name

import manager.testing

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
PARTS_OF_OTHERS = {"Combined", "Fault"}  # nobody makes these by name


def test_its_examples_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(pytester.path / name.lower()))
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 5
    pytester.makeini("[pytest]\nollama_models = llama3.2")
    pytester.makepyfile(**{f"test_{number}": block for number, block in enumerate(blocks)})
    done = pytester.runpytest_subprocess("-p", plugin_name, "-W", "error")
    done.assert_outcomes(passed=4)  # one block is no test: it runs as it is imported


def test_it_names_everything() -> None:
    for name in set(manager.testing.__all__) - PARTS_OF_OTHERS:
        assert re.search(rf"`{name}\b|\b{name}\(", PAGE), name
    for name in (
        "ollama_server",
        "ollama_server_process",
        "ollama_program",
        "ollama_host",
        "ollama_models",
    ):
        assert f"`{name}" in PAGE


def test_every_name_is_there() -> None:
    assert set(manager.testing.__all__) <= set(dir(manager.testing))
    for name in manager.testing.__all__:
        assert getattr(manager.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = manager.testing.nothing  # type: ignore[attr-defined]
