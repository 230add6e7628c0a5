from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest

from manager.errors import InvalidRequestError
from manager.images import encode_image, encode_images

DATA = b"\x89PNG\r\n\x1a\n" + bytes(range(60))
TEXT = base64.b64encode(DATA).decode()


def refused(images: object) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError, match="images") as caught:
        encode_images(images)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "image",
    [
        DATA,
        bytearray(DATA),
        memoryview(DATA),
        io.BytesIO(DATA),
        TEXT,
        f"data:image/png;base64,{TEXT}",
    ],
)
def test_every_form_of_an_image_is_sent_as_base64(image: object) -> None:
    assert encode_image(image, "images[0]") == TEXT


def test_a_path_names_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(DATA)
    assert encode_images([path]) == [TEXT]
    with path.open("rb") as file:
        assert encode_images([file, DATA]) == [TEXT, TEXT]


def test_a_single_image_counts_as_a_list_of_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(DATA)
    for image in (DATA, TEXT, path, io.BytesIO(DATA), memoryview(DATA)):
        assert encode_images(image) == [TEXT]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert "nothere.png" in refused([tmp_path / "nothere.png"]).message
    assert "images[1]" in refused([DATA, tmp_path]).message
    empty = tmp_path / "empty.png"
    empty.touch()
    assert refused([empty]).message == "images[0] is empty"
    assert refused([Path("nul\0byte")]).argument == "images[0]"


@pytest.mark.parametrize(
    "text",
    [
        "cat.png",
        "photo123",
        "abcd",
        "/home/me/cat.png",
        "",
        TEXT[:-1],
        f"{TEXT}\n",
        f" {TEXT}",
        "data:image/png,rawdata",
    ],
)
def test_a_string_is_never_taken_for_a_path(text: str, tmp_path: Path) -> None:
    error = refused([text])
    assert error.argument == "images[0]"
    assert "pathlib.Path" in str(error.hint)


@pytest.mark.parametrize("url", ["http://example.com/cat.png", "HTTPS://example.com/cat.png"])
def test_a_url_is_not_downloaded(url: str) -> None:
    error = refused([url])
    assert "URL" in error.message
    assert "Download" in str(error.hint)


@pytest.mark.parametrize(
    "image", [None, 3, b"", io.StringIO("text"), io.BytesIO(), object(), [DATA], {"a": 1}]
)
def test_what_is_no_image_is_refused(image: object) -> None:
    assert refused([image]).argument == "images[0]"


@pytest.mark.parametrize("images", [3, {"a": DATA}, object()])
def test_images_must_be_images(images: object) -> None:
    assert refused(images).argument == "images"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        base64.b64encode(b"\xff\xd8\xff\xe0" + DATA),
        base64.b64encode(b"GIF89a" + DATA),
        base64.b64encode(b"RIFF\x00\x00\x00\x00WEBPVP8 " + DATA),
        f"data:image/png;base64,{TEXT}".encode(),
    ],
)
def test_base64_as_bytes_is_refused_with_the_remedy(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.b64"
    path.write_bytes(data)
    for image in (data, bytearray(data), io.BytesIO(data), path):
        error = refused([image])
        assert "base64" in error.message
        assert ".decode()" in str(error.hint)


@pytest.mark.parametrize(
    "start",
    [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"GIF87a",
        b"GIF89a",
        b"RIFF\x10\x00\x00\x00WEBP",
        b"RIFF\x10\x00\x00\x00WAVE",
        b"BM",
        b"II*\x00",
        b"MM\x00*",
        b"\x00\x00\x00\x18ftypheic",
        b"\x00\x00\x00\x1cftypavif",
    ],
)
def test_text_is_an_image_if_it_begins_as_one(start: bytes) -> None:
    text = base64.b64encode(start + bytes(40)).decode()
    assert encode_images([text]) == [text]
    assert encode_images([f"DATA:image/x;name=a;BASE64,{text}"]) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "/home/user/pictures/holidays2024/img",
        "thisIsAWordThatIsValidInBase64AndLongEnough=",
        base64.b64encode(b"just some text, no image at all").decode(),
        "data:text/plain;base64," + base64.b64encode(b"just some text, no image at all").decode(),
        f"data:text/plain;base64,{TEXT}",
        f"data:application/json;base64,{TEXT}",
    ],
)
def test_text_that_is_no_image_is_refused(text: str) -> None:
    error = refused([text])
    assert error.argument == "images[0]"
    assert "no image" in error.message
