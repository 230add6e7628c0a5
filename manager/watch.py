"""Watches the configuration file, with watchdog, and says when its content has changed."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
import weakref
from typing import TYPE_CHECKING, TypeAlias

from manager.config.files import read_digest
from manager.forks import keep, renew_in_children

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver, ObservedWatch

    _Listener: TypeAlias = "weakref.ReferenceType[Callable[[], object]]"

__all__ = ["ConfigWatcher", "watch_file", "watched_folders"]

# Editors write in several steps: wait until nothing has happened for this long ...
_QUIET_SECONDS = 0.05
# ... but not for ever, when somebody never stops saving.
_MAX_WAIT_SECONDS = 0.25
# A change may cost a restart: when one comes soon after another, wait for the last of them.
_BUSY_SECONDS = 1.0
_QUIET_SECONDS_WHEN_BUSY = 0.5
_MAX_WAIT_SECONDS_WHEN_BUSY = 5.0
# Programs that end soon are spared the import of watchdog: the file is looked at in the meantime.
_FIRST_SECONDS = 1.0
_FIRST_LOOK_SECONDS = 0.05
# What no event tells (network file systems, a folder that was swapped) is found by looking.
_LOOK_SECONDS = 5.0
_LOOK_SECONDS_WITHOUT_EVENTS = 1.0
_MAX_LINKS = 40
_STOP_SECONDS = 2.0

_log = logging.getLogger("ollama_manager.config")


class ConfigWatcher:
    """Calls ``on_change`` on a thread of its own when the content of a file is another one.

    Handles saves in place and by rename, links that are swapped (Kubernetes ConfigMaps), deletion
    (nothing is said until the file is back with another content), and folders that appear later.

    Args:
        path: The file; it need not exist.
        on_change: Called without arguments; what it raises is logged.
        digest: SHA-256 of the content that was loaded, so that a change between loading and
            watching is seen; by default the content that is there at :meth:`start`.
        is_wanted: Asked now and then; watching ends when it says no.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        on_change: Callable[[], object],
        *,
        digest: str | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._is_wanted = is_wanted
        self._path = os.path.abspath(os.path.expanduser(path))
        self._on_change = on_change
        self._digest = digest
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._observer: BaseObserver | None = None
        self._watches: dict[tuple[str, int, int], ObservedWatch] = {}
        self._names: frozenset[str] = frozenset()
        self._signature: tuple[int, ...] | None = None
        self._observe_at: float | None = None
        self._told_at: float | None = None

    def start(self) -> None:
        """Begin to watch; a second call does nothing."""
        if self._thread is not None:
            return
        if self._digest is None:
            self._digest = self._read_digest()
        self._thread = threading.Thread(target=self._run, name="ollama-manager-config", daemon=True)
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """End watching; ``on_change`` is not called any more once this returns."""
        self._stopped.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_STOP_SECONDS)

    def look(self) -> None:
        """Look now whether anything has changed, and whether it is still wanted."""
        self._wake.set()

    def _run(self) -> None:
        try:
            self._observe_at = time.monotonic() + _FIRST_SECONDS
            while not self._stopped.is_set() and self._is_wanted():
                try:
                    self._step()
                except OSError as error:  # a link was swapped while it was followed
                    _log.debug("looking at %s again: %s", self._path, error)
                    self._stopped.wait(_FIRST_LOOK_SECONDS)
                    self._wake.set()
        except Exception:
            _log.exception("watching %s has ended", self._path)
        finally:
            self._stop_observer()

    def _step(self) -> None:
        was_woken = self._wake.wait(self._look_seconds())
        if was_woken:
            self._debounce()
        if self._stopped.is_set():
            return
        self._follow_folders()
        signature = self._read_signature()
        if not was_woken and signature == self._signature:
            return
        if not was_woken:
            self._debounce()  # no event said that somebody has finished writing
        self._signature = self._read_signature()
        self._compare()

    def _look_seconds(self) -> float:
        if self._observe_at is not None:
            if time.monotonic() < self._observe_at:
                return _FIRST_LOOK_SECONDS
            self._observe_at = None
            self._start_observer()
        return _LOOK_SECONDS if self._observer else _LOOK_SECONDS_WITHOUT_EVENTS

    @property
    def _is_busy(self) -> bool:
        return self._told_at is not None and time.monotonic() - self._told_at < _BUSY_SECONDS

    def _debounce(self) -> None:
        quiet, wait = _QUIET_SECONDS, _MAX_WAIT_SECONDS
        if self._is_busy:
            quiet, wait = _QUIET_SECONDS_WHEN_BUSY, _MAX_WAIT_SECONDS_WHEN_BUSY
        deadline = time.monotonic() + wait
        seen = self._read_signature()
        while not self._stopped.is_set():
            self._wake.clear()
            left = deadline - time.monotonic()
            was_woken = self._wake.wait(max(0.0, min(quiet, left)))
            seen, before = self._read_signature(), seen
            if left <= 0 or not (was_woken or seen != before):
                return

    def _compare(self) -> None:
        digest = self._read_digest()
        if digest is None or digest == self._digest:
            return
        self._digest = digest
        self._told_at = time.monotonic()
        try:
            self._on_change()
        except Exception:
            _log.exception("applying %s failed", self._path)

    def _read_digest(self) -> str | None:
        digest = read_digest(self._path)
        return digest and digest + self._guard()

    def _guard(self) -> str:
        """Tell whether everybody may write to the file: then not all of it is taken."""
        try:
            return "w" if os.stat(self._path).st_mode & stat.S_IWOTH else ""
        except OSError:
            return ""

    def _read_signature(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _start_observer(self) -> None:
        try:
            from watchdog.observers import Observer

            observer = Observer()
            observer.start()
        except Exception as error:
            # No inotify instances left, say.
            _log.warning("no file events, looking every second instead: %s", error)
            return
        self._observer = observer
        self._follow_folders()
        self._wake.set()  # what changed before all of them were watched, no event tells

    def _stop_observer(self) -> None:
        observer, self._observer = self._observer, None
        if observer is None:
            return
        try:
            observer.stop()
            observer.join(_STOP_SECONDS)
        except Exception:
            _log.debug("the observer did not stop", exc_info=True)

    def _follow_folders(self) -> None:
        """Watch the folders that matter now: links are swapped, folders come and go."""
        observer = self._observer
        # Again after each change: a folder may appear before the one above it is watched.
        while observer is not None and not self._stopped.is_set():
            folders, names = watched_folders(self._path)
            self._names = frozenset(names)
            wanted = {key for folder in folders if (key := _identity(folder)) is not None}
            added = wanted - set(self._watches)
            for key in set(self._watches) - wanted:
                self._unschedule(observer, key)
            for key in added:
                self._schedule(observer, key)
            if not added & set(self._watches):
                return

    def _unschedule(self, observer: BaseObserver, key: tuple[str, int, int]) -> None:
        watch = self._watches.pop(key)
        try:
            observer.unschedule(watch)
        except Exception:  # its folder is gone
            _log.debug("unwatching %s", key[0], exc_info=True)

    def _schedule(self, observer: BaseObserver, key: tuple[str, int, int]) -> None:
        from watchdog import events

        kinds: list[type[FileSystemEvent]] = [
            # Not opening and closing: reading the file would wake us up.
            events.FileCreatedEvent,
            events.FileModifiedEvent,
            events.FileMovedEvent,
            events.FileDeletedEvent,
            events.DirCreatedEvent,
            events.DirMovedEvent,
            events.DirDeletedEvent,
        ]
        handler = events.FileSystemEventHandler()
        handler.on_any_event = self._on_event  # type: ignore[method-assign]
        try:
            self._watches[key] = observer.schedule(handler, key[0], event_filter=kinds)
        except Exception as error:
            _log.debug("cannot watch %s: %s", key[0], error)

    def _on_event(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if os.path.basename(os.fsdecode(path)) in self._names:
                self._wake.set()


class _Watches:
    """The watchers of this process: one for each file, however many managers follow it.

    Listeners are known weakly. Nothing happens when one is collected, which may be anywhere, also
    where a lock is held: the watcher finds out, and ends when it was the last one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: dict[str, tuple[ConfigWatcher, list[_Listener]]] = {}
        renew_in_children(self)

    def after_fork(self) -> None:
        """In a forked child: without the parent's threads, and what they hold."""
        self._lock = threading.Lock()
        keep(*self._watchers.values())
        self._watchers = {}

    def add(self, path: str, listener: _Listener) -> Callable[[], None]:
        """Have a listener called when a file has changed, until the result is called."""
        with self._lock:
            known = self._watchers.get(path)
            if known is None:
                listeners: list[_Listener] = []
                watcher = ConfigWatcher(
                    path,
                    lambda: _tell(path, listeners),
                    is_wanted=lambda: self._is_wanted(path, listeners),
                )
                known = self._watchers[path] = (watcher, listeners)
            watcher, listeners = known
            listeners.append(listener)
            watcher.start()

        def remove() -> None:
            with self._lock:
                if listener in listeners:
                    listeners.remove(listener)
            watcher.look()

        return remove

    def _is_wanted(self, path: str, listeners: list[_Listener]) -> bool:
        with self._lock:
            listeners[:] = [listener for listener in listeners if listener() is not None]
            if not listeners:
                del self._watchers[path]
            return bool(listeners)


def _tell(path: str, listeners: list[_Listener]) -> None:
    for listener in list(listeners):
        call = listener()
        try:
            if call is not None:
                call()
        except Exception:
            _log.exception("applying %s failed", path)


_watches = _Watches()


def watch_file(path: str, listener: Callable[[], object]) -> Callable[[], None]:
    """Have a method called, on a thread of its own, when the content of a file has changed.

    Args:
        path: The file; it need not exist.
        listener: A method that is called without arguments, for as long as its object is there;
            what it raises is logged.

    Returns:
        What ends this.
    """
    return _watches.add(path, weakref.WeakMethod(listener))


def _identity(folder: str) -> tuple[str, int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return folder, found.st_dev, found.st_ino


def watched_folders(path: str) -> tuple[set[str], set[str]]:
    """Return the folders in which a change can change what a path leads to, and the names there.

    That is the folder of each link on the way, and the folder of the file itself, or the deepest
    one that exists.

    Args:
        path: An absolute path.
    """
    folders: set[str] = set()
    names: set[str] = set()
    rest = _parts(path)
    here = _root(path)
    links = 0
    while rest:
        name = rest.pop(0)
        step = os.path.join(here, name)
        is_link = os.path.islink(step)
        # Also the folder of the file's folder, which may be replaced as a whole.
        if is_link or len(rest) < 2 or not os.path.isdir(step):
            folders.add(here)
            names.add(name)
        if is_link and links < _MAX_LINKS:
            links += 1
            target = os.path.join(here, os.readlink(step))
            here, rest = _root(target), _parts(os.path.normpath(target)) + rest
        elif rest and not os.path.isdir(step):
            return folders, names
        else:
            here = step
    return folders, names


def _root(path: str) -> str:
    return os.path.abspath(os.sep) if os.name == "posix" else os.path.splitdrive(path)[0] + os.sep


def _parts(path: str) -> list[str]:
    return [part for part in os.path.splitdrive(path)[1].split(os.sep) if part]
