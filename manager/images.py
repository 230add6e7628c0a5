"""Images as requests carry them: base64 text, from whatever form the caller has."""

from __future__ import annotations

import binascii
import os
import re
from typing import cast

from manager.errors import InvalidRequestError
from manager.narrowing import is_array, is_bytes, is_iterable, is_mapping
from manager.spelling import shown

__all__ = ["encode_image", "encode_images", "holds_files"]

# No image file is smaller. A shorter text that happens to be valid base64 is a word or a file name.
_SMALLEST = 24
# PNG, JPEG, GIF, BMP, TIFF of either byte order, JPEG XL; WebP, and WAVE for models that hear.
_BEGINNINGS = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"\xff\x0a",
    b"RIFF",
)
# The same as base64, which makes no image when it is encoded again.
_ENCODED = (b"iVBORw0KGgo", b"/9j/", b"R0lGOD", b"UklGR", b"data:")
_DATA_URL = re.compile(r"data:([^,;]*)(;[^,]*)?;base64,", re.IGNORECASE)
_MEDIA = ("image/", "audio/", "application/octet-stream")
_FORMS = "Give the image's bytes, a pathlib.Path, a file opened with mode 'rb', or base64 text."


def holds_files(images: object, prompt: object = None) -> bool:
    """Return whether any image has to be read from a file, so that encoding it may block.

    Args:
        images: The images of a call.
        prompt: Its prompt, whose messages may have images, too.
    """
    if _is_file(images) or (is_array(images) and any(map(_is_file, images))):
        return True
    return is_array(prompt) and any(
        holds_files(one.get("images") if is_mapping(one) else getattr(one, "images", None))
        for one in prompt
    )


def _is_file(image: object) -> bool:
    return isinstance(image, os.PathLike) or hasattr(image, "read")


def encode_images(images: object, argument: str = "images") -> list[str]:
    """Return images in base64.

    Args:
        images: One image or several; see :func:`encode_image`.
        argument: The name of the argument, for the error.

    Raises:
        InvalidRequestError: One of them is no image that could be sent.
    """
    if is_iterable(images) and not hasattr(images, "read"):
        return [encode_image(image, f"{argument}[{index}]") for index, image in enumerate(images)]
    return [encode_image(images, argument)]


def encode_image(image: object, argument: str) -> str:
    """Return an image in base64.

    Bytes are the image itself, a path names its file, an object with ``read()`` is read, and a
    string is base64, with or without ``data:...;base64,`` before it. A string is never taken for
    a path or a URL, and it must begin as an image does; bytes are not looked at, unless they are
    base64 themselves, which is refused.

    Args:
        image: The image.
        argument: The name of the argument, for the error.

    Raises:
        InvalidRequestError: It is none of these, empty, or its file cannot be read.
    """
    if isinstance(image, str):
        return _check_base64(image, argument)
    if is_bytes(image):
        data = bytes(image)
    elif isinstance(image, os.PathLike):
        data = _read_file(cast("os.PathLike[str]", image), argument)
    elif callable(read := getattr(image, "read", None)):
        data = _read_object(read(), argument)
    else:
        raise _wrong(
            f"{argument} is a {type(image).__name__}, which is no image in a form to send", argument
        )
    if not data:
        raise _wrong(f"{argument} is empty", argument)
    if data.startswith(_ENCODED):
        raise _wrong(
            f"{argument} is base64 text as bytes; as an image it would be encoded twice",
            argument,
            "Give it as a string: data.decode().",
        )
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _check_base64(text: str, argument: str) -> str:
    if text[:8].lower().startswith(("http://", "https://")):
        raise _wrong(
            f"{argument} is a URL; nothing is downloaded here",
            argument,
            "Download the image first and give its bytes.",
        )
    encoded = text
    if url := _DATA_URL.match(text[:200]):
        # left out, the type may be anything
        encoded = text[url.end() :] if url[1].lower().startswith(_MEDIA) or not url[1] else ""
    try:
        data = binascii.a2b_base64(encoded, strict_mode=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) < _SMALLEST or not _begins_as_image(data):
        raise _wrong(
            f"{argument} is a string that is no image in base64: {shown(text)}",
            argument,
            "For a file give pathlib.Path(...); for raw data give bytes.",
        )
    return encoded


def _begins_as_image(data: bytes) -> bool:
    # HEIC and AVIF are boxes of a file like MP4's: the length of the first, then its name
    return data.startswith(_BEGINNINGS) or data[4:8] == b"ftyp"


def _read_file(image: os.PathLike[str], argument: str) -> bytes:
    path = os.fsdecode(image)
    try:
        from pathlib import Path  # every chat gets here, and few have files

        return Path(path).expanduser().read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise _wrong(
            f"{argument}: the file {os.fspath(path)!r} cannot be read: {reason}",
            argument,
            "Check the path and its permissions.",
        ) from error
    except ValueError as error:
        raise _wrong(f"{argument}: {shown(path)} is no path: {error}", argument) from error


def _read_object(data: object, argument: str) -> bytes:
    if is_bytes(data):
        return bytes(data)
    raise _wrong(
        f"{argument}.read() gave {type(data).__name__}, not bytes",
        argument,
        "Open the file with mode 'rb'; await asynchronous readers first.",
    )


def _wrong(message: str, argument: str, hint: str = _FORMS) -> InvalidRequestError:
    return InvalidRequestError(message, argument=argument, hint=hint)
