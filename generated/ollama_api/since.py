"""Which release of Ollama brought an operation, where it is newer than v0.5.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OPERATIONS: Final[Mapping[str, str]] = {
    "cloud_status": "v0.16.2",
    "whoami": "v0.12.0",
    "signout": "v0.12.1",
    "delete_user_key": "v0.12.0",
    "web_search": "v0.18.0",
    "web_fetch": "v0.18.0",
    "model_recommendations": "v0.22.1",
}
"""By operation id, the release, such as `v0.12.0`."""
