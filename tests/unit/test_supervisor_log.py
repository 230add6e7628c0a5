"""The server's log: bounded, for its owner alone, and with room set aside."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from manager.supervisor import diskspace
from manager.supervisor.diskspace import reserve
from manager.supervisor.serverlog import ServerLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "ollama.log"


@pytest.fixture
def log(path: Path) -> Iterator[ServerLog]:
    log = ServerLog(str(path), limit=MIB, slack=MIB)
    yield log
    log.close()


def fail_to_reserve(monkeypatch: pytest.MonkeyPatch, failure: int) -> None:
    monkeypatch.setattr(diskspace, "_allocate", lambda fd, size: failure)


def test_log_that_grew_too_large_is_kept_once_and_starts_anew(log: ServerLog, path: Path) -> None:
    old = path.with_name("ollama.log.1")
    for round_ in (b"1", b"2"):
        os.write(log.fd, round_ * MIB)
        assert not log.look(), "not larger than its limit"
        os.write(log.fd, round_)
        assert log.look()
        assert old.read_bytes() == round_ * (MIB + 1)
        assert path.read_bytes() == b""
    os.write(log.fd, b"fresh\n")  # the server's descriptor goes on at the new end
    assert path.read_bytes() == b"fresh\n"
    assert log.tail(5) == ["fresh"]
    for file in (path, old):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_tail_is_of_this_server_alone(log: ServerLog, path: Path) -> None:
    os.write(log.fd, b"before\n")
    second = ServerLog(str(path))
    os.write(second.fd, b"after\n")
    assert second.tail(9) == ["after"]
    second.close()


@pytest.mark.parametrize("kind", ["symlink", "hard link", "folder"])
def test_what_stands_in_the_place_of_the_old_one_is_not_written(
    log: ServerLog, path: Path, tmp_path: Path, kind: str
) -> None:
    treasure = tmp_path / "treasure"
    treasure.write_text("mine")
    old = path.with_name("ollama.log.1")
    match kind:
        case "symlink":
            old.symlink_to(treasure)
        case "hard link":
            old.hardlink_to(treasure)
        case _:
            old.mkdir()
    os.write(log.fd, b"x" * (MIB + 1))
    assert log.look()
    assert path.stat().st_size == 0
    assert treasure.read_text() == "mine"
    assert old.is_dir() == (kind == "folder")
    assert not old.is_symlink()


def test_rotation_on_a_full_disk_keeps_no_copy(
    log: ServerLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.write(log.fd, b"x" * (MIB + 1))

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("manager.supervisor.serverlog.os.write", full)
        assert log.look()
    assert [entry.name for entry in path.parent.iterdir()] == ["ollama.log"]
    assert path.stat().st_size == 0


def test_room_that_a_rotation_lost_is_set_aside_later(
    log: ServerLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [errno.ENOSPC, errno.ENOSPC, 0]
    asked: list[int] = []

    def allocate(_fd: int, size: int) -> int:
        asked.append(size)
        return answers[len(asked) - 1]

    monkeypatch.setattr(diskspace, "_allocate", allocate)
    os.write(log.fd, b"x" * (MIB + 1))
    assert log.look()
    for _ in range(4):
        assert not log.look()
    assert asked == [2 * MIB] * 3
    assert log.kept


def test_broken_disk_is_no_reason_to_stop(log: ServerLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    os.write(log.fd, b"x" * (MIB + 1))
    monkeypatch.setattr("manager.supervisor.serverlog.os.ftruncate", broken)
    assert not log.look()


@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_means_the_null_device(
    path: Path, monkeypatch: pytest.MonkeyPatch, failure: int
) -> None:
    fail_to_reserve(monkeypatch, failure)
    log = ServerLog(str(path))
    assert not log.kept
    assert os.write(log.fd, b"x" * MIB) == MIB
    assert (log.tail(5), log.look()) == ([], False)
    assert path.stat().st_size == 0
    assert not os.get_inheritable(log.fd)
    log.close()


def test_file_that_cannot_be_written_means_the_null_device(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = ServerLog(str(tmp_path / "file" / "ollama.log"))
    assert not log.kept
    assert (log.tail(5), log.look()) == ([], False)
    log.close()


@pytest.mark.parametrize("failure", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_room_cannot_be_set_aside_there_is_a_look(
    path: Path, monkeypatch: pytest.MonkeyPatch, failure: int
) -> None:
    fail_to_reserve(monkeypatch, failure)
    path.parent.mkdir()
    with path.open("wb") as file:
        assert reserve(file.fileno(), 1)
        assert not reserve(file.fileno(), 1 << 60)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can set room aside")
def test_room_is_set_aside_while_the_server_runs(path: Path) -> None:
    log = ServerLog(str(path), limit=MIB, slack=MIB)
    if path.stat().st_blocks == 0:
        log.close()
        pytest.skip("this file system cannot")
    assert path.stat().st_size == 0
    assert path.stat().st_blocks * 512 >= 2 * MIB
    os.write(log.fd, b"words\n")
    log.close()
    assert path.read_bytes() == b"words\n"
    assert path.stat().st_blocks * 512 < MIB
