"""What ``show_model`` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from ollama_api.models import ShowResponse

if TYPE_CHECKING:
    from ollama_api.models import ListModelResponse

__all__ = ["ShownModel", "shown_model"]


@attrs.define
class ShownModel(ShowResponse):
    """``ShowResponse``, with what the list of models knows besides.

    Attributes:
        size: Bytes on disk; ``None`` for a model that is not in the list.
        digest: The digest of its manifest, 64 hexadecimal digits.
    """

    size: int | None = attrs.field(default=None, kw_only=True)
    digest: str | None = attrs.field(default=None, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready data; what is absent is left out."""
        extra = {"size": self.size, "digest": self.digest}
        return {**super().to_dict(), **{k: v for k, v in extra.items() if v is not None}}


def shown_model(shown: ShowResponse, listed: ListModelResponse | None) -> ShownModel:
    """Join the answers of ``POST /api/show`` and ``GET /api/tags`` about one model."""
    record = ShownModel.from_dict(shown.to_dict())
    record.size = None if listed is None else listed.size
    record.digest = None if listed is None else listed.digest
    return record
