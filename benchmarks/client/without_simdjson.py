"""How ``embed_array`` reads numbers where pysimdjson is not installed."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from manager.embedding_arrays import find_simdjson

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["without_simdjson"]


@contextmanager
def without_simdjson() -> Iterator[None]:
    """Hide pysimdjson."""
    with patch.dict(sys.modules, {"simdjson": None}):
        find_simdjson.cache_clear()
        find_simdjson()
        try:
            yield
        finally:
            find_simdjson.cache_clear()
