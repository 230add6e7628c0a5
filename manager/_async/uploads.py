"""Local files of a model on their way into the server's blob store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ollama_api.api.models import blob_exists, create_blob

from manager.blobs import AsyncFileContent, digest_of
from manager.default import DEFAULT
from manager.progress import upload_timeouts
from manager.waiting_async import run_async

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from manager._async.transport import AsyncTransport
    from manager.timeouts import TimeoutInput
    from manager.transport.retry import RetryInput

__all__ = ["digests_of", "upload_missing"]


async def digests_of(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the digests of files by their names, as ``CreateRequest`` takes them.

    Raises:
        InvalidRequestError: A file cannot be read.
    """
    return {name: await run_async(digest_of, path) for name, path in files.items()}


async def upload_missing(
    transport: AsyncTransport,
    files: Mapping[str, Path],
    digests: Mapping[str, str],
    *,
    model: str,
    timeout: TimeoutInput = DEFAULT,
    retry: RetryInput = DEFAULT,
) -> None:
    """Send the files that the server does not have yet.

    Args:
        transport: Sends the requests.
        files: Where the files are, by name.
        digests: Their digests, by name.
        model: What they are for, for errors.
        timeout: As for ``create_model``; for each request.
        retry: As for ``create_model``.
    """
    for name, path in files.items():
        known = blob_exists.build_request(digests[name])
        if not await transport.exists(known, model=model, timeout=timeout, retry=retry):
            request = create_blob.build_request(digests[name], body=AsyncFileContent(path))
            await transport.send(
                request, model=model, timeout=upload_timeouts(timeout), retry=retry
            )
