from __future__ import annotations

import gc
import os
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manager import watch
from manager.config.files import digest_of, read_digest
from manager.watch import ConfigWatcher, watch_file, watched_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and renames are POSIX's")

DEADLINE = 10.0


class Seen:
    """Collects what the file held each time a change was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.contents: list[str] = []
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.contents.append(self.path.read_text(encoding="utf-8"))
            self._changed.notify_all()

    def wait_for(self, content: str) -> None:
        with self._changed:
            found = self._changed.wait_for(lambda: self.contents[-1:] == [content], DEADLINE)
        assert found, f"never saw {content!r}, only {self.contents}"


@pytest.fixture(params=["events", "looking"])
def start(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path], Seen]]:
    """Start watchers; once on events alone, once where there are none."""
    if request.param == "events":
        monkeypatch.setattr(watch, "_LOOK_SECONDS", 1000.0)
    else:
        monkeypatch.setattr(watch, "_LOOK_SECONDS_WITHOUT_EVENTS", 0.02)
        monkeypatch.setattr(ConfigWatcher, "_start_observer", lambda self: None)
    watchers: list[ConfigWatcher] = []

    def begin(path: Path) -> Seen:
        seen = Seen(path)
        watcher = ConfigWatcher(path, seen)
        watchers.append(watcher)
        watcher.start()
        wait_until(lambda: request.param == "looking" or bool(watcher._watches))
        return seen

    yield begin
    for watcher in watchers:
        watcher.stop()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def replace(path: Path, content: str) -> None:
    new = path.with_name(path.name + ".swp")
    new.write_text(content, encoding="utf-8")
    new.replace(path)


def test_saves_in_place_and_by_rename(tmp_path: Path, start: Callable[[Path], Seen]) -> None:
    path = tmp_path / "c.toml"
    path.write_text("0")
    seen = start(path)
    path.write_text("1")
    seen.wait_for("1")
    replace(path, "2")
    seen.wait_for("2")
    path.write_text("33")
    seen.wait_for("33")


def test_the_same_content_is_no_change(tmp_path: Path, start: Callable[[Path], Seen]) -> None:
    path = tmp_path / "c.toml"
    path.write_text("0")
    seen = start(path)
    replace(path, "0")
    path.touch()
    (tmp_path / "other").write_text("x")
    path.write_text("1")
    seen.wait_for("1")
    assert "0" not in seen.contents


def test_deleted_and_made_again(tmp_path: Path, start: Callable[[Path], Seen]) -> None:
    path = tmp_path / "c.toml"
    path.write_text("0")
    seen = start(path)
    path.unlink()
    path.write_text("1")
    seen.wait_for("1")


def test_a_folder_that_appears_later_and_is_replaced(
    tmp_path: Path, start: Callable[[Path], Seen]
) -> None:
    folder = tmp_path / "a" / "b"
    path = folder / "c.toml"
    seen = start(path)
    folder.mkdir(parents=True)
    path.write_text("1")
    seen.wait_for("1")
    folder.rename(tmp_path / "a" / "old")
    folder.mkdir()
    path.write_text("2")
    seen.wait_for("2")


def test_links_that_are_swapped(tmp_path: Path, start: Callable[[Path], Seen]) -> None:
    """As Kubernetes updates a ConfigMap: file -> ..data/file, ..data -> a new folder."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "c.toml").write_text(version)
    data = tmp_path / "..data"
    data.symlink_to("1")
    path = tmp_path / "c.toml"
    path.symlink_to("..data/c.toml")
    seen = start(path)
    (tmp_path / "..new").symlink_to("2")
    (tmp_path / "..new").replace(data)
    seen.wait_for("2")
    (tmp_path / "2" / "c.toml").write_text("3")
    seen.wait_for("3")


def test_a_link_to_a_file_elsewhere(tmp_path: Path, start: Callable[[Path], Seen]) -> None:
    target = tmp_path / "dotfiles" / "real.toml"
    target.parent.mkdir()
    target.write_text("0")
    path = tmp_path / "config" / "c.toml"
    path.parent.mkdir()
    path.symlink_to(target)
    seen = start(path)
    replace(target, "1")
    seen.wait_for("1")


def test_many_saves_end_with_the_last(tmp_path: Path, start: Callable[[Path], Seen]) -> None:
    path = tmp_path / "c.toml"
    path.write_text("start")
    seen = start(path)
    for number in range(100):
        replace(path, str(number))
    seen.wait_for("99")
    assert len(seen.contents) < 60


def test_a_change_between_loading_and_watching_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("new")
    seen = Seen(path)
    watcher = ConfigWatcher(path, seen, digest=digest_of(b"loaded"))
    watcher.start()
    seen.wait_for("new")
    watcher.stop()


def test_a_listener_that_raises_is_called_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c.toml"
    path.write_text("0")
    seen = Seen(path)

    def listen() -> None:
        seen()
        raise RuntimeError("no")

    watcher = ConfigWatcher(path, listen, digest=digest_of(b"loaded"))
    watcher.start()
    seen.wait_for("0")
    replace(path, "1")
    seen.wait_for("1")
    watcher.stop()
    assert "applying" in caplog.text


def test_stop_ends_the_threads_and_may_come_from_the_listener(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("0")
    before = set(threading.enumerate())
    stopped = threading.Event()

    def listen() -> None:
        watcher.stop()
        stopped.set()

    watcher = ConfigWatcher(path, listen, digest=digest_of(b"loaded"))
    watcher.start()
    watcher.start()
    assert stopped.wait(DEADLINE)
    wait_until(lambda: set(threading.enumerate()) <= before)
    watcher.stop()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "own.toml")
    assert read_digest(str(tmp_path / "own.toml")) is None


def test_no_more_is_read_than_a_configuration_may_have(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    tracemalloc.start()
    try:
        assert read_digest(str(path))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_who_may_write_to_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused in a file that everybody may write to is taken once that has ended."""
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.05)  # of this, no event tells
    path = tmp_path / "own.toml"
    path.write_text("one", encoding="utf-8")
    path.chmod(0o666)
    seen = Seen(path)
    watcher = ConfigWatcher(path, seen)
    watcher.start()
    path.chmod(0o644)
    seen.wait_for("one")
    watcher.stop()


def test_a_link_that_goes_while_it_is_followed(
    tmp_path: Path, start: Callable[[Path], Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()
    follow = ConfigWatcher._follow_folders

    def fail_once(watcher: ConfigWatcher) -> None:
        if not failed.is_set():
            failed.set()
            raise FileNotFoundError
        follow(watcher)

    path = tmp_path / "own.toml"
    path.write_text("one", encoding="utf-8")
    seen = start(path)
    monkeypatch.setattr(ConfigWatcher, "_follow_folders", fail_once)
    replace(path, "two")
    wait_until(failed.is_set)
    seen.wait_for("two")


def test_unrelated_files_wake_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 1000.0)
    path = tmp_path / "c.toml"
    path.write_text("0")
    seen = Seen(path)
    reads: list[int] = []
    read = ConfigWatcher._read_digest
    watcher = ConfigWatcher(path, seen)
    watcher.start()
    wait_until(lambda: bool(watcher._watches))
    path.write_text("1")
    seen.wait_for("1")
    # The event that closes the save may still come; the marker below is seen after it.
    replace(path, "2")
    seen.wait_for("2")

    def count(watcher: ConfigWatcher) -> str | None:
        reads.append(1)
        return read(watcher)

    monkeypatch.setattr(ConfigWatcher, "_read_digest", count)
    for number in range(500):
        (tmp_path / f"other-{number}").write_text("x")
    path.write_text("3")
    seen.wait_for("3")
    watcher.stop()
    assert len(reads) <= 5


class Follower:
    """Follows a file as managers do."""

    def __init__(self) -> None:
        self.heard = threading.Event()

    def note(self) -> None:
        self.heard.set()


def watching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ollama-manager-config"]


def test_one_thread_watches_a_file_for_all(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("0")
    followers = [Follower() for _ in range(50)]
    before = len(watching())
    ends = [watch_file(str(path), follower.note) for follower in followers]
    assert len(watching()) == before + 1
    replace(path, "1")
    assert all(follower.heard.wait(DEADLINE) for follower in followers)
    for end in ends[1:]:
        end()
    followers[0].heard.clear()
    replace(path, "2")
    assert followers[0].heard.wait(DEADLINE), "it goes on for who is left"
    ends[0]()
    ends[0]()
    wait_until(lambda: len(watching()) == before)
    watch_file(str(path), followers[0].note)()
    wait_until(lambda: len(watching()) == before)


def test_who_is_collected_is_not_watched_for(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    before = len(watching())
    watch_file(str(path), Follower().note)
    gc.collect()
    wait_until(lambda: len(watching()) == before)


def test_what_is_saved_before_there_are_events_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FIRST_SECONDS", 1000.0)
    path = tmp_path / "c.toml"
    path.write_text("0")
    seen = Seen(path)
    watcher = ConfigWatcher(path, seen)
    watcher.start()
    replace(path, "1")
    seen.wait_for("1")
    watcher.stop()


def test_where_the_system_has_no_events_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Then the file is looked at now and then, and the log says so once."""

    def refuse(_observer: object) -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(watch, "_LOOK_SECONDS_WITHOUT_EVENTS", 0.02)
    monkeypatch.setattr(watch, "_FIRST_SECONDS", 0.0)
    monkeypatch.setattr("watchdog.observers.api.BaseObserver.start", refuse)
    path = tmp_path / "c.toml"
    path.write_text("0")
    seen = Seen(path)
    watcher = ConfigWatcher(path, seen)
    watcher.start()
    try:
        wait_until(lambda: "inotify instance limit reached" in caplog.text)
        for content in ("1", "2"):
            path.write_text(content)
            seen.wait_for(content)
    finally:
        watcher.stop()
    assert caplog.text.count("no file events, looking every second instead") == 1


@pytest.mark.parametrize("way", ["schedule", "unschedule", "stop"])
def test_an_observer_that_fails_is_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("threads can only be started once")

    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(watch, "_FIRST_SECONDS", 0.0)
    path = tmp_path / "folder" / "c.toml"
    path.parent.mkdir()
    path.write_text("0")
    seen = Seen(path)
    watcher = ConfigWatcher(path, seen)
    with monkeypatch.context() as patch:
        patch.setattr(f"watchdog.observers.api.BaseObserver.{way}", fail)
        watcher.start()
        wait_until(lambda: watcher._observer is not None)
        path.write_text("1")
        seen.wait_for("1")
        path.parent.rename(tmp_path / "other")  # what was watched is to be watched no more
        path.parent.mkdir()
        path.write_text("2")
        seen.wait_for("2")
        observer = watcher._observer
        watcher.stop()
    if way == "stop" and observer is not None:
        observer.stop()
        observer.join()


def test_watched_folders(tmp_path: Path) -> None:
    base = Path(os.path.realpath(tmp_path))
    both = {str(base), str(base.parent)}
    assert watched_folders(str(base / "c.toml")) == (both, {"c.toml", base.name})
    assert watched_folders(str(base / "x" / "y" / "c.toml")) == ({str(base)}, {"x"})
    (base / "real").mkdir()
    (base / "link").symlink_to("real")
    folders, names = watched_folders(str(base / "link" / "c.toml"))
    assert folders == {str(base), str(base / "real")}
    assert names == {"link", "real", "c.toml"}
    (base / "loop").symlink_to("loop")
    watched_folders(str(base / "loop" / "c.toml"))


def test_what_changes_while_watching_begins_is_seen(
    tmp_path: Path, start: Callable[[Path], Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.toml"
    path.write_text("0")
    schedule = ConfigWatcher._schedule

    def too_late(self: ConfigWatcher, *arguments: Any) -> None:
        path.write_text("1")
        schedule(self, *arguments)

    monkeypatch.setattr(ConfigWatcher, "_schedule", too_late)
    seen = start(path)
    if seen.path.read_text("utf-8") != "1":  # where there are no events
        path.write_text("1")
    seen.wait_for("1")
