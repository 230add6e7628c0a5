"""Local files that a model is made from: their names, digests and contents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from manager.errors import InvalidRequestError
from manager.narrowing import is_iterable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["AsyncFileContent", "FileContent", "FilesInput", "digest_of", "local_files"]

FilesInput: TypeAlias = (
    str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, str | os.PathLike[str]]
)

_PIECE = 1 << 20


def local_files(files: FilesInput | None, *, argument: str) -> dict[str, Path]:
    """Return names and paths of the files meant by an argument of ``create_model``.

    Args:
        files: A path, a list of paths, or paths by the name they get; a folder means its files.
        argument: What the caller calls it.

    Raises:
        InvalidRequestError: A file is not there or cannot be read, or two have the same name.
    """
    if files is None:
        return {}
    try:
        if isinstance(files, Mapping):
            return {
                name: _readable(_path(path, argument), argument) for name, path in files.items()
            }
        return _by_name(files, argument)
    except OSError as error:
        raise InvalidRequestError(
            f"{argument} cannot be read: {error}", argument=argument
        ) from error


def _by_name(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], argument: str
) -> dict[str, Path]:
    given: object = [files] if isinstance(files, str | os.PathLike) else files
    if isinstance(given, bytes) or not is_iterable(given):
        raise _no_path(given, argument)
    found: dict[str, Path] = {}
    for path in (entry for one in given for entry in _entries(_path(one, argument), argument)):
        if path.name in found:
            raise InvalidRequestError(
                f"{argument} has two files called {path.name!r}",
                argument=argument,
                hint="give names with a mapping: {'name': path}",
            )
        found[path.name] = path
    return found


def _path(given: object, argument: str) -> Path:
    # empty, it would be the current folder
    if given == "" or not isinstance(given, str | os.PathLike):
        raise _no_path(given, argument)
    return Path(cast("str | os.PathLike[str]", given))


def _no_path(given: object, argument: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{argument} must be a path, a list of paths or a mapping of names to paths,"
        f" got {'an empty string' if given == '' else type(given).__name__}",
        argument=argument,
        hint="for example files='model.gguf'",
    )


def _entries(path: Path, argument: str) -> list[Path]:
    if path.is_dir():
        entries = [entry for entry in sorted(path.iterdir()) if entry.is_file()]
        if not entries:
            raise InvalidRequestError(f"{argument}: {path} holds no files", argument=argument)
        return [_readable(entry, argument) for entry in entries]
    return [_readable(path, argument)]


def _readable(path: Path, argument: str) -> Path:
    if not path.is_file():
        raise InvalidRequestError(
            f"{argument}: there is no file {str(path)!r}",
            argument=argument,
            hint="give the path of a file on this machine",
        )
    if not os.access(path, os.R_OK):
        raise InvalidRequestError(f"{argument}: {str(path)!r} is not readable", argument=argument)
    return path


def digest_of(path: Path) -> str:
    """Return the digest of a file in Ollama's form, ``sha256:...``.

    Raises:
        InvalidRequestError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be read: {error}", argument="files") from error


class FileContent:
    """The bytes of a file, read anew each time that it is iterated over."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece


class AsyncFileContent:
    """The bytes of a file, read anew each time, without blocking the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        from manager.waiting_async import run_async  # a sync program is to do without asyncio

        with self._path.open("rb") as file:
            while piece := await run_async(file.read, _PIECE):
                yield piece
