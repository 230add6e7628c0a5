"""A stranger's environment: nothing but the wheel and what it depends on."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..ports import free_port

if TYPE_CHECKING:
    from .conftest import Installed

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(300), pytest.mark.xdist_group("wheel")]

PACKAGES = ("manager", "ollama_api", "ollama_manager_entry_points")

USE = """
import sys
from manager import OllamaManager

binary = [sys.executable, "-m", "manager.simulator"]
with OllamaManager(host="127.0.0.1:{port}", binary=binary) as m:
    print(m.chat("simulated", "Hello from the wheel").message.content.splitlines()[0])
    print(len(m.embed_array("simulated-embed", ["one", "two"])))
    print(m.status().owned)
print(m.status().state.value)
"""


def test_it_holds_its_packages_and_nothing_else(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert not [name for name in names if name.startswith("manager/top_level")]


def test_its_packages_are_imported_from_it(installed: Installed) -> None:
    code = f"import {', '.join(PACKAGES)}; print({', '.join(f'{p}.__file__' for p in PACKAGES)})"
    found = installed.run(installed.python, "-c", code)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count(str(installed.folder)) == len(PACKAGES)


def test_its_entry_points_are_there(installed: Installed) -> None:
    code = (
        "from importlib.metadata import distribution\n"
        "for entry in distribution('axiom-ollama-manager').entry_points:\n"
        "    print(entry.group, entry.name, entry.value)\n"
    )
    found = installed.run(installed.python, "-c", code)
    assert sorted(found.stdout.splitlines()) == [
        "console_scripts ollama-manager ollama_manager_entry_points.console:main",
        "pytest11 ollama_manager ollama_manager_entry_points.pytest_plugin",
    ]


def test_the_command_says_that_another_module_is_in_the_way(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "manager.py").touch()
    found = installed.run(installed.bin / "ollama-manager", "status", PYTHONPATH=str(tmp_path))
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: {tmp_path / 'manager.py'} ")


def test_the_command_tells_what_it_can(installed: Installed) -> None:
    found = installed.run(installed.bin / "ollama-manager", "--help")
    assert found.returncode == 0, found.stderr
    assert all(word in found.stdout for word in ("demo", "chat", "simulate"))


def test_a_manager_starts_the_simulator_and_leaves_nothing(installed: Installed) -> None:
    found = installed.run(installed.python, "-c", USE.format(port=free_port()))
    assert found.returncode == 0, found.stderr
    text, vectors, owned, state = found.stdout.splitlines()
    assert "Hello from the wheel" in text
    assert (vectors, owned, state) == ("2", "True", "stopped")


@pytest.mark.types
@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_symbol_has_a_known_type(installed: Installed, package: str) -> None:
    pyright = Path(sys.executable).with_name("pyright")
    # pyright looks for the package in the environment of the first `python` on PATH
    found = installed.run(
        pyright,
        "--verifytypes",
        package,
        "--ignoreexternal",
        "--outputjson",
        PATH=f"{installed.bin}{os.pathsep}{os.environ['PATH']}",
    )
    report = json.loads(found.stdout)["typeCompleteness"]
    assert report["packageRootDirectory"].startswith(str(installed.folder))
    unknown = [symbol["name"] for symbol in report["symbols"] if not symbol["isTypeKnown"]]
    assert unknown == []
    assert report["completenessScore"] == 1
