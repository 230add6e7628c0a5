"""Name lookups: who waits for which thread, and what becomes of those nobody waits for."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import time
import weakref
from typing import Any

import pytest

from manager.transport import lookup
from manager.transport.destination import Destination
from manager.transport.exceptions import ConnectFailed
from manager.transport.lookup import known_addresses, look_up

PATIENCE = 30.0
NAME = Destination("ollama.example", 80, None)


class Resolver:
    """Stands for ``getaddrinfo``: answers when it is let go."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, Any]] = []
        self.go = threading.Event()
        self.answer: Any = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]

    def __call__(self, host: Any, port: Any, *_: Any, **__: Any) -> Any:
        self.asked.append((host, port))
        assert self.go.wait(PATIENCE)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Any:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.go.set()
    for thread in threads():
        thread.join(PATIENCE)
    assert lookup._under_way == {}


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ollama-lookup"]


def soon() -> float:
    return time.monotonic() + PATIENCE


@pytest.mark.parametrize(
    ("host", "family", "sockaddr"),
    [
        ("127.0.0.1", socket.AF_INET, ("127.0.0.1", 80)),
        ("::1", socket.AF_INET6, ("::1", 80, 0, 0)),
        ("0:0:0:0:0:0:0:1", socket.AF_INET6, ("::1", 80, 0, 0)),
        ("fe80::1%7", socket.AF_INET6, ("fe80::1", 80, 0, 7)),
        ("fe80::1%no-such-interface", socket.AF_INET6, ("fe80::1", 80, 0, 0)),
    ],
)
def test_ip_addresses_are_not_looked_up(host: str, family: int, sockaddr: Any) -> None:
    assert known_addresses(host, 80) == [(family, sockaddr)]


@pytest.mark.parametrize("host", ["localhost", "LocalHost."])
def test_localhost_is_loopback(host: str) -> None:
    addresses = known_addresses(host, 80)
    assert addresses is not None
    assert [address.ip for address in addresses] == ["127.0.0.1", "::1"]


def test_names_are_looked_up() -> None:
    assert known_addresses("ollama.example", 80) is None


def test_a_name(resolver: Resolver) -> None:
    resolver.go.set()
    found = look_up(NAME.host, NAME.port)
    assert found.wait(soon())
    assert found.addresses(NAME) == [(socket.AF_INET, ("192.0.2.1", 80))]
    assert resolver.asked == [(b"ollama.example", 80)]


def test_who_asks_for_the_same_shares_a_thread(resolver: Resolver) -> None:
    lookups = [look_up(NAME.host, NAME.port) for _ in range(1000)]
    other = look_up(NAME.host, 81)
    assert len(threads()) == 2
    assert not lookups[0].wait(time.monotonic())
    resolver.go.set()
    assert all(found.wait(soon()) for found in [*lookups, other])
    assert len(resolver.asked) == 2


def test_asked_again_it_looks_again(resolver: Resolver) -> None:
    resolver.go.set()
    assert look_up(NAME.host, NAME.port).wait(soon())
    for thread in threads():
        thread.join(PATIENCE)
    assert look_up(NAME.host, NAME.port).wait(soon())
    assert len(resolver.asked) == 2


def test_many_threads_that_ask_at_once(resolver: Resolver) -> None:
    together = threading.Barrier(20)
    found: list[Any] = []

    def ask() -> None:
        together.wait(PATIENCE)
        asked = look_up(NAME.host, NAME.port)
        if asked.wait(soon()):
            found.append(asked.addresses(NAME))

    askers = [threading.Thread(target=ask) for _ in range(20)]
    for asker in askers:
        asker.start()
    resolver.go.set()
    for asker in askers:
        asker.join(PATIENCE)
    assert found == [[(socket.AF_INET, ("192.0.2.1", 80))]] * 20


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no such name"),
        (socket.gaierror(socket.EAI_AGAIN, "Try again"), "the name servers do not answer"),
        (socket.gaierror(socket.EAI_SERVICE, "Bad service"), "Bad service"),
        (OSError(24, "Too many open files"), "Too many open files"),
        (UnicodeError("label too long"), "it is not a valid host name"),
    ],
)
def test_a_name_that_cannot_be_resolved(resolver: Resolver, error: Exception, words: str) -> None:
    resolver.answer = error
    resolver.go.set()
    found = look_up(NAME.host, NAME.port)
    assert found.wait(soon())
    for _ in range(2):  # each that waits gets an error of its own
        with pytest.raises(ConnectFailed) as caught:
            found.addresses(NAME)
        assert str(caught.value).startswith("the name 'ollama.example' cannot be resolved: ")
        assert words in str(caught.value)
        assert caught.value.__cause__ is error


@pytest.mark.parametrize("answer", [[], [(socket.AF_INET6, 1, 6, "", (10, b"raw"))]])
def test_a_name_without_addresses(resolver: Resolver, answer: Any) -> None:
    resolver.answer = answer
    resolver.go.set()
    found = look_up(NAME.host, NAME.port)
    assert found.wait(soon())
    with pytest.raises(ConnectFailed, match="no such name"):
        found.addresses(NAME)


def test_who_does_not_wait_any_more_is_forgotten(resolver: Resolver) -> None:
    found = look_up(NAME.host, NAME.port)
    for _ in range(100):
        assert not found.wait(time.monotonic() + 0.0001)
    assert found._wakers == {}


def test_a_waker_that_fails_harms_nobody(resolver: Resolver) -> None:
    found, woken = look_up(NAME.host, NAME.port), threading.Event()

    def fail() -> None:
        raise RuntimeError("Event loop is closed")

    found.add_waker(fail)
    found.add_waker(woken.set)
    resolver.go.set()
    assert woken.wait(PATIENCE)


def test_a_failed_lookup_is_let_go_without_the_garbage_collector(resolver: Resolver) -> None:
    resolver.answer = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    resolver.go.set()
    found = look_up(NAME.host, NAME.port)
    assert found.wait(soon())
    for thread in threads():
        thread.join(PATIENCE)
    let_go = weakref.ref(found)
    gc.disable()
    try:
        resolver.answer = None
        del found
        assert let_go() is None
    finally:
        gc.enable()


def test_without_threads_the_lookup_fails(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    found = look_up(NAME.host, NAME.port)
    assert found.wait(soon())
    with pytest.raises(ConnectFailed, match="no thread"):
        found.addresses(NAME)


def test_an_interrupt_while_the_thread_starts(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(KeyboardInterrupt):
            look_up(NAME.host, NAME.port)
    resolver.go.set()
    assert look_up(NAME.host, NAME.port).wait(soon()), "nobody waits for a thread that is not there"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_its_parents_thread(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look_up(NAME.host, NAME.port)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            resolver.go = threading.Event()  # the parent's thread may have held its lock
            resolver.go.set()
            own = look_up(NAME.host, NAME.port)
            status = 0 if own is not found and own.wait(soon()) else 2
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no setitimer")
def test_an_interrupt_ends_the_wait(resolver: Resolver) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    found = look_up(NAME.host, NAME.port)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            found.wait(None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert found._wakers == {}
