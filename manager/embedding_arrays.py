"""Embeddings as a numpy array, read from the bytes of the answer; numpy is optional.

pysimdjson, where it is installed, reads numbers without making Python floats of them. Only answers
for which lists of floats would give the same array, bit for bit, are read like that; all others are
read as ``embed`` reads them, so that neither arrays nor errors depend on what is installed.
"""

from __future__ import annotations

import struct
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from attrs import evolve, frozen
from ollama_api.models import EmbedResponse
from ollama_api.types import SpecError

from manager.embedding_lists import decode_lists
from manager.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from ollama_api.types import Request

__all__ = ["EmbeddingArray", "decode_array", "find_simdjson", "with_array"]


@frozen(eq=False)
class EmbeddingArray:
    """The answer to an embed request, with its embeddings as an array.

    Attributes:
        array: The embeddings: float32, of shape (texts, dimensions).
        prompt_eval_count: Tokens in all texts together.
        content: The answer as it came.
    """

    array: NDArray[np.float32]
    prompt_eval_count: int | None
    content: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a JSON object, for the log."""
        return decode_lists(self.content).to_dict()


def with_array(request: Request[EmbedResponse]) -> Request[EmbeddingArray]:
    """Return an embed request whose answer is decoded into an array.

    Raises:
        InvalidRequestError: numpy is not installed.
    """
    try:
        import_module("numpy")
    except ImportError:
        raise InvalidRequestError(
            "embed_array needs numpy, which is not installed",
            code="numpy_missing",
            hint="pip install 'axiom-ollama-manager[numpy]'",
        ) from None
    changed: Request[Any] = request  # with a result of another type
    return evolve(changed, expects="text", decode=decode_array)


def decode_array(content: bytes) -> EmbeddingArray:
    """Read the body of an answer to an embed request.

    A number beyond the range of float32 becomes infinite.

    Raises:
        ValueError: It is not valid JSON, breaks the spec (then it is a SpecError), or has rows of
            different lengths.
    """
    return _by_simdjson(content) or _by_lists(content)


class _Parser(Protocol):
    def parse(self, data: bytes, /) -> object: ...


class _Object(Protocol):
    def __iter__(self) -> Iterator[str]: ...
    def __getitem__(self, key: str, /) -> object: ...


class _Array(Protocol):
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[object]: ...
    def as_buffer(self, *, of_type: Literal["d"]) -> bytes: ...


class Simdjson(NamedTuple):
    """What is used of pysimdjson. Not its stubs: it need not be there when types are checked."""

    parser: Callable[[], _Parser]
    object: type[_Object]
    array: type[_Array]


@cache
def find_simdjson() -> Simdjson | None:
    """Import pysimdjson; return ``None`` where it is not installed."""
    try:
        module = import_module("simdjson")
        return Simdjson(module.Parser, module.Object, module.Array)
    except (ImportError, RuntimeError, AttributeError):  # RuntimeError: without its compiled part
        return None


def _by_simdjson(content: bytes) -> EmbeddingArray | None:
    """Read an answer with pysimdjson; return ``None`` if it is to be read as lists."""
    simdjson = find_simdjson()
    if simdjson is None or not _is_simple(content):
        return None
    try:
        # a parser of its own: objects keep their parser busy, and threads must not share one
        document = simdjson.parser().parse(content)
        if not isinstance(document, simdjson.object):
            return None
        keys = list(document)
        if len(set(keys)) != len(keys):  # pysimdjson takes the first of them, others the last
            return None
        fields = {key: document[key] for key in keys}
        array = _flat(simdjson, fields.get("embeddings"), content)
        if array is None:
            return None
        fields["embeddings"] = []
        others = EmbedResponse.from_dict(fields)
    except (ValueError, TypeError, RuntimeError):  # what pysimdjson raises, and SpecError
        return None
    return EmbeddingArray(array, others.prompt_eval_count, content)


def _flat(simdjson: Simdjson, embeddings: object, content: bytes) -> NDArray[np.float32] | None:
    """Return rows of one length that hold numbers only, as an array; ``None`` for anything else.

    Raises:
        TypeError: There is a value that is neither a number nor a list.
    """
    import numpy as np

    if not isinstance(embeddings, simdjson.array):
        return None
    widths = [len(row) if isinstance(row, simdjson.array) else 0 for row in embeddings]
    if not widths or not 0 < min(widths) == max(widths):
        return None
    # `as_buffer` flattens lists within rows without an error: there must be no other list
    if np.count_nonzero(np.frombuffer(content, np.uint8) == ord("[")) != 1 + len(widths):
        return None
    numbers = np.frombuffer(embeddings.as_buffer(of_type="d"))
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32).reshape(len(widths), widths[0])


def _is_simple(content: bytes) -> bool:
    """Return whether JSON is such that all parsers agree on it, and has one object only.

    They differ on byte order marks, surrogates, NUL in keys and how deep the nesting may be.
    Ollama sends nothing of the kind.
    """
    return (
        content.isascii()
        and b"\\" not in content
        and content.startswith(b"{")
        and content.rfind(b"{") == 0
    )


def _by_lists(content: bytes) -> EmbeddingArray:
    """Read an answer as lists.

    Raises:
        ValueError: As ``decode_array`` says.
    """
    answer = decode_lists(content)
    rows = answer.embeddings
    for place, row in enumerate(rows):
        if len(row) != len(rows[0]):
            expected = f"{len(rows[0])} numbers, as in embeddings[0]"
            raise SpecError(expected, len(row)).inside(f"[{place}]").inside("embeddings")
    try:
        array = _packed(rows)
    except struct.error:
        raise _too_large(rows) from None
    return EmbeddingArray(array, answer.prompt_eval_count, content)


def _packed(rows: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    """Return rows of one length as an array; ``struct`` is faster at it than numpy.

    Raises:
        struct.error: An integer is beyond the range of float.
    """
    import numpy as np

    width = len(rows[0]) if rows else 0
    array = np.empty((len(rows), width), np.float32)
    row_format = struct.Struct(f"{width}f")
    for place, row in enumerate(rows):
        row_format.pack_into(array.data, place * row_format.size, *row)
    return array


def _too_large(rows: Sequence[Sequence[float]]) -> SpecError:
    """Return the error for the first integer that is beyond the range of float."""
    for place, row in enumerate(rows):
        for column, number in enumerate(row):
            try:
                float(number)
            except OverflowError:
                error = SpecError("a number within the range of float", number)
                return error.inside(f"[{column}]").inside(f"[{place}]").inside("embeddings")
    raise AssertionError("every number is within the range of float")
