"""Embeddings as numpy arrays; numpy is optional."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["embedding_array"]


def embedding_array(embeddings: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    """Return embeddings as an array of shape (texts, dimensions).

    Raises:
        InvalidRequestError: numpy is not installed.
    """
    try:
        import numpy as np
    except ImportError:
        raise InvalidRequestError(
            "embed_array needs numpy, which is not installed",
            code="numpy_missing",
            hint="pip install 'axiom-ollama-manager[numpy]'",
        ) from None
    return np.asarray(embeddings, dtype=np.float32)
