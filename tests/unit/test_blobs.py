from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from manager.blobs import AsyncFileContent, FileContent, digest_of, local_files
from manager.errors import InvalidRequestError

if TYPE_CHECKING:
    from pathlib import Path

BIG = bytes(range(256)) * 12_345  # three pieces, the last one short


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {"b.gguf": b"GGUF b", "a.gguf": b"GGUF a", "big.bin": BIG}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_none(folder: Path) -> None:
    assert local_files(None, argument="files") == {}


def test_one_path(folder: Path) -> None:
    path = folder / "a.gguf"
    assert local_files(path, argument="files") == {"a.gguf": path}
    assert local_files(str(path), argument="files") == {"a.gguf": path}


def test_a_list(folder: Path) -> None:
    paths = [folder / "b.gguf", str(folder / "a.gguf")]
    assert list(local_files(paths, argument="files")) == ["b.gguf", "a.gguf"]


def test_a_mapping_gives_the_names(folder: Path) -> None:
    found = local_files({"model.gguf": folder / "a.gguf"}, argument="files")
    assert found == {"model.gguf": folder / "a.gguf"}


def test_a_folder_means_its_files(folder: Path) -> None:
    assert list(local_files(folder, argument="files")) == ["a.gguf", "b.gguf", "big.bin"]


def test_two_files_of_one_name(folder: Path) -> None:
    other = folder / "empty" / "a.gguf"
    other.write_bytes(b"x")
    with pytest.raises(InvalidRequestError, match=r"two files called 'a\.gguf'"):
        local_files([folder / "a.gguf", other], argument="files")


@pytest.mark.parametrize(
    "bad",
    [
        "nowhere.gguf",
        ["nowhere.gguf"],
        {"x": "nowhere.gguf"},
        "",
        [""],
        {"x": ""},
        "a\0b",
        7,
        [7],
        {"x": 7},
        b"a.gguf",
        [b"a.gguf"],
        [None],
        3.5,
    ],
    ids=repr,
)
@pytest.mark.parametrize("argument", ["files", "adapters"])
def test_bad_input_names_the_argument(
    bad: Any, argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "private").write_text("must not be uploaded by files=''")
    with pytest.raises(InvalidRequestError) as caught:
        local_files(bad, argument=argument)
    assert caught.value.argument == argument
    assert argument in caught.value.message


def test_an_empty_folder(folder: Path) -> None:
    with pytest.raises(InvalidRequestError, match="holds no files"):
        local_files(folder / "empty", argument="files")


def test_digest(folder: Path) -> None:
    assert digest_of(folder / "big.bin") == f"sha256:{hashlib.sha256(BIG).hexdigest()}"


def test_digest_of_a_file_that_has_gone(folder: Path) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        digest_of(folder / "gone")


async def test_content_can_be_read_again_and_again(folder: Path) -> None:
    path = folder / "big.bin"
    content, async_content = FileContent(path), AsyncFileContent(path)
    for _ in range(2):
        pieces = list(content)
        assert b"".join(pieces) == BIG
        assert len(pieces) > 1
        assert [piece async for piece in async_content] == pieces
