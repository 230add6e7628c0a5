"""What stands for "as configured" in a call."""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["DEFAULT", "Default"]


class Default(enum.Enum):
    """The type of :data:`DEFAULT`."""

    DEFAULT = "default"

    def __repr__(self) -> str:
        return "DEFAULT"


DEFAULT: Final = Default.DEFAULT
"""Stands for "as configured" where ``None`` already means "no limit"."""
