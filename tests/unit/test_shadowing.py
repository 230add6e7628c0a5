"""Whose module of a name is imported, as the entry points find out."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ollama_manager_entry_points import shadowing
from ollama_manager_entry_points.shadowing import find_shadow

NAMES = ("manager", "ollama_api")
FIND = f"""
import sys
sys.path[:0] = sys.argv[1:]
from ollama_manager_entry_points.shadowing import find_shadow
print(find_shadow(*{NAMES}))
"""


def shadow_in(*folders: Path) -> str:
    """What is found by a Python that has nothing but these folders on its path."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", FIND, *folders],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr


def install(folder: Path, *names: str) -> Path:
    """Put the entry points and empty packages beside each other, as an installer does."""
    entry_points = folder / "ollama_manager_entry_points"
    entry_points.mkdir(parents=True)
    for file in Path(shadowing.__file__).parent.glob("*.py"):
        (entry_points / file.name).write_bytes(file.read_bytes())
    for name in names:
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    return folder


def test_here_nothing_is_in_the_way() -> None:
    assert find_shadow(*NAMES) is None


def test_installed_beside_it(tmp_path: Path) -> None:
    site = install(tmp_path / "site", *NAMES)
    assert shadow_in(site) == "None"
    assert shadow_in(install(tmp_path / "other copy", *NAMES), site) == "None"
    (tmp_path / "ollama_api.py").touch()
    assert str(tmp_path / "ollama_api.py") in shadow_in(tmp_path, site)


def test_in_a_zip_file(tmp_path: Path) -> None:
    site = install(tmp_path / "site", *NAMES)
    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in site.rglob("*.py"):
            file.write(path, path.relative_to(site))
    assert shadow_in(archive) == "None"
    (tmp_path / "manager.py").touch()
    assert str(tmp_path / "manager.py") in shadow_in(tmp_path, archive)


def test_what_is_missing_is_not_in_the_way(tmp_path: Path) -> None:
    assert shadow_in(install(tmp_path / "site")) == "None"


def test_a_folder_without_init_counts_where_ours_is_missing(tmp_path: Path) -> None:
    site = install(tmp_path / "site")
    (tmp_path / "manager").mkdir()
    assert str(tmp_path / "manager") in shadow_in(tmp_path, site)


@pytest.mark.parametrize("name", ["sys", "zipimport"])  # built in, frozen
def test_a_module_without_a_file(name: str) -> None:
    found = find_shadow(name)
    assert found is not None
    assert name in found.message
