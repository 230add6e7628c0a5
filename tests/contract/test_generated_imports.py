"""Importing the generated client is cheap, and each module of it can be imported alone."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_packages_import_nothing_of_their_own() -> None:
    assert not run(
        "import sys, ollama_api, ollama_api.models, ollama_api.api, ollama_api.api.inference\n"
        "packages = {'ollama_api', 'ollama_api.models', 'ollama_api.api'}\n"
        "packages.add('ollama_api.api.inference')\n"
        "print(*[m for m in sys.modules if m.startswith('ollama_api') and m not in packages])\n"
        "print(*[m for m in sys.modules if m in ('attr', 'attrs', 'httpx', 'dateutil')])"
    ).split()


def test_a_model_imports_no_more_than_it_holds() -> None:
    loaded = run(
        "import sys\nfrom ollama_api.models import ListResponse\n"
        "print(*[m for m in sys.modules if m.startswith('ollama_api.')])\n"
        "assert 'httpx' not in sys.modules and 'dateutil' not in sys.modules"
    ).split()
    assert set(loaded) == {
        "ollama_api.models",
        "ollama_api.models.list_response",
        "ollama_api.models.list_model_response",
        "ollama_api.models.model_details",
        "ollama_api.types",
    }


def test_each_module_can_be_imported_first() -> None:
    run(
        "import importlib, pkgutil, sys, ollama_api\n"
        "names = [m.name for m in pkgutil.walk_packages(ollama_api.__path__, 'ollama_api.')]\n"
        "assert len(names) > 60, names\n"
        "for name in names:\n"
        "    for loaded in [m for m in sys.modules if m.startswith('ollama_api')]:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(name)"
    )


def test_each_model_is_found_by_name() -> None:
    run(
        "from ollama_api import models\n"
        "assert set(models.__all__) <= set(dir(models))\n"
        "for name in models.__all__:\n"
        "    assert getattr(models, name) is getattr(models, name)\n"
        "try:\n"
        "    models.ChatResponze\n"
        "except AttributeError as error:\n"
        "    assert 'ChatResponze' in str(error)\n"
        "else:\n"
        "    raise SystemExit('no error')"
    )
