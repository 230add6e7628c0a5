"""Finding a module that is imported in place of one of ours. Standard library only."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Shadow", "find_shadow"]

_HERE = os.path.dirname(os.path.abspath(__file__))
# In a checkout this package is in manager/top_level, not beside `manager`: see pyproject.toml.
_IN_CHECKOUT = os.path.join("manager", "top_level")


class Shadow(NamedTuple):
    """A module of somebody else's that has the name of one of ours, and comes first.

    Attributes:
        name: The name.
        path: The file of the module; the folder of a package without ``__init__.py``.
    """

    name: str
    path: str

    @property
    def message(self) -> str:
        """What is wrong, as a sentence."""
        return f"{self.path} is imported in place of axiom-ollama-manager's package {self.name!r}"

    @property
    def target(self) -> str:
        """What to rename: the module, or the folder of the package."""
        is_package = os.path.basename(self.path).startswith("__init__.")
        return os.path.dirname(self.path) if is_package else self.path

    @property
    def folder(self) -> str:
        """The folder on the import path that it was found in."""
        return os.path.dirname(self.target)


def find_shadow(*names: str) -> Shadow | None:
    """Find the first of some modules of ours that another one is imported in place of.

    The modules are located, not imported, so that no code of others runs.

    Args:
        names: Top-level names of this distribution.

    Returns:
        What is in the way; None if nothing is, also if there is no module of that name.
    """
    for name in names:
        path = _location(name)
        if path is not None and not _is_ours(path):
            return Shadow(name, path)
    return None


def _location(name: str) -> str | None:
    """Return the file that a name is, or would be, imported from."""
    module = sys.modules.get(name)
    if module is not None:
        return _location_of_loaded(module)
    spec = find_spec(name)
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or [])
    found = spec.origin if spec.has_location else None
    return os.path.abspath(found or folders[0]) if found or folders else str(spec.origin)


def _location_of_loaded(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return os.path.abspath(file)
    folders = [str(folder) for folder in getattr(module, "__path__", ())]
    return os.path.abspath(folders[0]) if folders else repr(module)


def _is_ours(path: str) -> bool:
    """Whether a file belongs to this distribution: to this copy of it, or to another one.

    Another copy is what a checkout on PYTHONPATH is to an installed script.
    """
    package, file = os.path.split(path)
    if not file.startswith("__init__."):
        return False
    beside = os.path.dirname(package)
    if beside == os.path.dirname(_HERE):  # by name: within a zip file there are no folders
        return True
    root = os.path.dirname(beside)  # of a checkout, for generated/ollama_api
    homes = (beside, os.path.join(beside, _IN_CHECKOUT), os.path.join(root, _IN_CHECKOUT))
    return any(os.path.isdir(os.path.join(home, os.path.basename(_HERE))) for home in homes)
