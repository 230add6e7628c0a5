"""From a host and a port to a connected socket: the same for both dials, on either event loop."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import socket
import sys
import threading
import time
import warnings
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from manager.transport import addresses
from manager.transport._async.dial import dial_async
from manager.transport._sync import dial as sync_dial
from manager.transport._sync.dial import dial
from manager.transport.addresses import ConnectRace
from manager.transport.exceptions import ConnectFailed, ConnectTimedOut
from manager.transport.sockets import finish_connect

from .dialing import KINDS, Names, blackhole, descriptors, dial_of, listening, refusing, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Dial = Callable[[str, int, float | None], socket.socket]

PATIENCE = 30.0

if sys.platform != "linux":
    pytest.skip("addresses and /proc as Linux has them", allow_module_level=True)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def connect(kind: str) -> Dial:
    return dial_of(kind)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No test leaves a descriptor."""
    for kind in KINDS[1:]:
        run(kind, asyncio.sleep(0))  # what an event loop opens once and for all
    gc.collect()
    before = descriptors()
    yield
    gc.collect()
    assert descriptors() == before


@pytest.fixture
def hangs(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Name lookups last until the end of the test."""
    over = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        over.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield over
    over.set()
    for thread in lookups():
        thread.join(PATIENCE)


def lookups() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ollama-lookup"]


def resolve(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(**addresses))


def check(sock: socket.socket, kind: str, peer: tuple[str, int]) -> None:
    """Check that a socket is connected and set up, and close it."""
    with sock:
        assert sock.getpeername()[:2] == peer
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not sock.get_inheritable()
        assert sock.gettimeout() == (None if kind == "sync" else 0)


@pytest.mark.parametrize("seconds", [PATIENCE, None, 1e6])
def test_an_address(connect: Dial, kind: str, seconds: float | None) -> None:
    with listening() as port:
        check(connect("127.0.0.1", port, seconds), kind, ("127.0.0.1", port))


@needs_ipv6
def test_an_ipv6_address(connect: Dial, kind: str) -> None:
    with listening("::1") as port:
        check(connect("::1", port, PATIENCE), kind, ("::1", port))


def test_localhost(connect: Dial, kind: str) -> None:
    with listening() as port:
        check(connect("localhost", port, PATIENCE), kind, ("127.0.0.1", port))


@needs_ipv6
def test_localhost_with_ipv6_only(connect: Dial, kind: str) -> None:
    with listening("::1") as port:
        check(connect("localhost", port, None), kind, ("::1", port))


def test_a_name(connect: Dial, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, box=["127.0.0.1"])
    with listening() as port:
        check(connect("box", port, PATIENCE), kind, ("127.0.0.1", port))
        check(connect("box", port, None), kind, ("127.0.0.1", port))


def test_refused(connect: Dial) -> None:
    with refusing() as port, pytest.raises(ConnectFailed) as caught:
        connect("127.0.0.1", port, PATIENCE)
    assert str(caught.value) == f"no connection to 127.0.0.1:{port}: connection refused"
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_refused_by_each_address(connect: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, box=["127.0.0.1", "127.0.0.2"])
    with refusing() as port, pytest.raises(ConnectFailed) as caught:
        connect("box", port, PATIENCE)
    assert str(caught.value) == (
        f"no connection to box:{port}: 127.0.0.1: connection refused; 127.0.0.2: connection refused"
    )
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_no_such_name(connect: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch)
    with pytest.raises(ConnectFailed, match="the name 'box' cannot be resolved: no such name"):
        connect("box", 80, PATIENCE)


def test_one_of_two_addresses_refuses(
    connect: Dial, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, box=["127.0.0.1", "127.0.0.2"])
    with listening("127.0.0.2") as port:
        check(connect("box", port, PATIENCE), kind, ("127.0.0.2", port))


@needs_ipv6
@pytest.mark.parametrize("dead_first", [True, False])
def test_one_of_two_addresses_does_not_answer(
    connect: Dial, kind: str, dead_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, box=["::1", "127.0.0.1"] if dead_first else ["127.0.0.1", "::1"])
    with blackhole("::1") as port, listening("127.0.0.1", port):
        check(connect("box", port, PATIENCE), kind, ("127.0.0.1", port))


def test_the_last_of_many_addresses(
    connect: Dial, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two do not answer, one refuses, the last one is alive."""
    resolve(monkeypatch, box=["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"])
    with ExitStack() as servers:
        port = servers.enter_context(blackhole("127.0.0.1"))
        servers.enter_context(blackhole("127.0.0.2", port))
        servers.enter_context(listening("127.0.0.4", port))
        check(connect("box", port, PATIENCE), kind, ("127.0.0.4", port))


def test_an_address_that_answers_late(
    connect: Dial, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt goes on while the second one is made."""
    resolve(monkeypatch, box=["127.0.0.1", "127.0.0.2"])
    started, really = threading.Semaphore(0), ConnectRace.started

    def start(race: ConnectRace[Any], now: float) -> None:
        really(race, now)
        started.release()

    def let_in() -> None:
        for _ in range(2):
            started.acquire(timeout=PATIENCE)
        server.listen(16)  # the system tries again after a second

    monkeypatch.setattr(ConnectRace, "started", start)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        server.listen(0)
        with socket.socket() as filler, blackhole("127.0.0.2", port):
            filler.connect(("127.0.0.1", port))
            thread = threading.Thread(target=let_in)
            thread.start()
            check(connect("box", port, PATIENCE), kind, ("127.0.0.1", port))
            thread.join(PATIENCE)


@pytest.mark.parametrize("host", ["127.0.0.1", "one", "two"])
def test_the_limit_for_what_does_not_answer(
    connect: Dial, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, one=["127.0.0.1"], two=["127.0.0.1", "127.0.0.2"])
    with ExitStack() as servers:
        port = servers.enter_context(blackhole("127.0.0.1"))
        servers.enter_context(blackhole("127.0.0.2", port))
        with pytest.raises(ConnectTimedOut) as caught:
            connect(host, port, 0.4)
    assert str(caught.value) == f"no connection to {host}:{port} within 0.4 s"


@pytest.mark.parametrize("seconds", [0, -1.0])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "box"])
def test_no_time_at_all(
    connect: Dial, host: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, box=["127.0.0.1"])
    with listening() as port, pytest.raises(ConnectTimedOut):
        connect(host, port, seconds)


def test_the_limit_for_a_lookup_that_hangs(connect: Dial, hangs: threading.Event) -> None:
    with pytest.raises(ConnectTimedOut) as caught:
        connect("box", 80, 0.2)
    assert str(caught.value) == (
        "no connection to box:80 within 0.2 s: its name was not resolved in time"
    )
    assert len(lookups()) == 1
    with pytest.raises(ConnectTimedOut):
        connect("box", 80, 0.2)
    assert len(lookups()) == 1, "the thread is shared"


def test_the_limit_covers_lookup_and_attempts(
    connect: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(box=["127.0.0.1"])

    def slow(*arguments: Any, **keywords: Any) -> Any:
        time.sleep(0.3)
        return names(*arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with blackhole() as port:
        began = time.monotonic()
        with pytest.raises(ConnectTimedOut, match=r"within 0\.6 s$"):
            connect("box", port, 0.6)
        assert time.monotonic() - began >= 0.6


def test_a_lookup_that_ends_late_is_quiet(
    connect: Dial, hangs: threading.Event, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConnectTimedOut):
        connect("box", 80, 0.05)
    hangs.set()
    for thread in lookups():
        thread.join(PATIENCE)
    assert capfd.readouterr() == ("", "")


def test_no_more_files_can_be_opened(
    connect: Dial, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = socket.socket.__init__

    def fail(self: Any, family: int = -1, *arguments: Any, **keywords: Any) -> None:
        caller = sys._getframe(1).f_globals["__name__"]
        if caller.startswith("manager.transport"):
            raise OSError(24, "Too many open files")
        really(self, family, *arguments, **keywords)

    monkeypatch.setattr(socket.socket, "__init__", fail)
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(ConnectFailed, match="too many open files"):
            connect(host, 80, PATIENCE)


def test_a_socket_that_is_connected_to_itself_is_refused() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        with pytest.raises(ConnectionRefusedError):
            finish_connect(sock, sock.getsockname())


@pytest.mark.parametrize("host", ["127.0.0.1", "box", "none"])
def test_failures_are_let_go_without_the_garbage_collector(
    kind: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, box=["127.0.0.1", "127.0.0.2"])

    async def fail(port: int) -> None:
        with suppress(ConnectFailed):
            if kind == "sync":
                dial(host, port, PATIENCE)
            else:
                await dial_async(host, port, PATIENCE)

    async def main() -> None:
        with refusing() as port:
            await fail(port)  # once, for what is made on first use
            gc.collect()
            gc.set_debug(gc.DEBUG_SAVEALL)
            try:
                await fail(port)
                gc.collect()
                assert not [one for one in gc.garbage if isinstance(one, OSError | socket.socket)]
            finally:
                gc.set_debug(0)
                gc.garbage.clear()

    run("async" if kind == "sync" else kind, main())


# What is only true of the async dial


@pytest.mark.parametrize("loop", [kind for kind in KINDS if kind != "sync"])
@pytest.mark.parametrize("host", ["127.0.0.1", "two", "hangs"])
@pytest.mark.parametrize("twice", [False, True])
def test_three_hundred_cancelled_dials(
    loop: str, host: str, twice: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, over = Names(two=["127.0.0.1", "127.0.0.2"]), threading.Event()

    def getaddrinfo(name: Any, *arguments: Any, **keywords: Any) -> Any:
        if name == b"hangs":
            over.wait(PATIENCE)
        return names(name, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    async def main(port: int) -> None:
        tasks = [asyncio.create_task(dial_async(host, port, PATIENCE)) for _ in range(300)]
        chance = random.Random(7)
        for task in tasks:
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            if host == "two" and chance.random() < 0.05:
                await asyncio.sleep(0.05)
            task.cancel()
            if twice:
                await asyncio.sleep(0)
                task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    try:
        with blackhole() as port, blackhole("127.0.0.2", port):
            before = descriptors()
            run(loop, main(port))
            assert descriptors() == before
        assert len(lookups()) <= 1
    finally:
        over.set()
        for thread in lookups():
            thread.join(PATIENCE)


@pytest.mark.parametrize("loop", [kind for kind in KINDS if kind != "sync"])
@pytest.mark.parametrize("host", ["127.0.0.1", "box"])
def test_cancelled_at_any_point(loop: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled, once or twice, after any number of steps: a connection or none, and no other."""
    resolve(monkeypatch, box=["127.0.0.3", "127.0.0.1", "127.0.0.2"])

    monkeypatch.setattr(addresses, "ATTEMPT_DELAY", 0.003)

    async def end_after(steps: int, again: int, port: int) -> None:
        task = asyncio.create_task(dial_async(host, port, PATIENCE))
        for _ in range(steps):
            await asyncio.sleep(0.001)
        task.cancel()
        for _ in range(again):
            await asyncio.sleep(0)
        task.cancel()
        left: list[asyncio.Task[Any]] = []
        task.add_done_callback(lambda _: left.extend(asyncio.all_tasks()))
        with suppress(asyncio.CancelledError):
            (await task).close()
        assert set(left) <= {task, asyncio.current_task()}

    async def main(port: int) -> None:
        for steps in range(12):
            for again in range(4):
                await end_after(steps, again, port)
        (await dial_async(host, port, PATIENCE)).close()

    with ExitStack() as servers:
        port = servers.enter_context(listening("127.0.0.1"))
        servers.enter_context(listening("127.0.0.2", port))
        servers.enter_context(blackhole("127.0.0.3", port))
        before = descriptors()
        run(loop, main(port))
        assert descriptors() == before


@pytest.mark.parametrize("loop", [kind for kind in KINDS if kind != "sync"])
def test_a_limit_of_the_caller(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's own timeout stays the caller's."""
    resolve(monkeypatch, two=["127.0.0.1", "127.0.0.2"])

    async def main(port: int) -> None:
        for host in ("127.0.0.1", "two"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await dial_async(host, port, PATIENCE)

    with blackhole() as port, blackhole("127.0.0.2", port):
        run(loop, main(port))


@pytest.mark.parametrize("loop", [kind for kind in KINDS if kind != "sync"])
def test_a_loop_that_ends_during_a_lookup(
    loop: str, hangs: threading.Event, capfd: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        task = asyncio.create_task(dial_async("box", 80, None))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(loop, main())
    hangs.set()
    for thread in lookups():
        thread.join(PATIENCE)
    assert capfd.readouterr() == ("", "")


def test_a_dial_whose_loop_is_gone() -> None:
    """The coroutine is closed from outside: nothing can be waited for, and no socket stays."""

    async def main(port: int) -> Any:
        coroutine = dial_async("localhost", port, None)
        coroutine.send(None)
        return coroutine

    with blackhole() as port:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)  # its attempt is destroyed while pending
        coroutine = loop.run_until_complete(main(port))
        coroutine.close()
        loop.close()
        del coroutine
        gc.collect()


# What is only true of the sync dial


class Interrupt(BaseException):
    """What nobody is prepared for, as Ctrl-C is."""


class Alarm(TimeoutError):
    """What handlers of SIGALRM like to raise."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, Interrupt, Alarm, RuntimeError])
@pytest.mark.parametrize("host", ["127.0.0.1", "two", "hangs"])
def test_an_interrupt_while_it_waits(
    host: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    names, over = Names(two=["127.0.0.1", "127.0.0.2"]), threading.Event()

    def getaddrinfo(name: Any, *arguments: Any, **keywords: Any) -> Any:
        if name == b"hangs":
            over.wait(PATIENCE)
        return names(name, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        with blackhole() as port, blackhole("127.0.0.2", port):
            before = descriptors()
            for seconds in (None, PATIENCE):
                with interrupted(0.3, error), pytest.raises(error):
                    dial(host, port, seconds)
                assert descriptors() == before
    finally:
        over.set()
        for thread in lookups():
            thread.join(PATIENCE)


@pytest.mark.parametrize("error", [Interrupt, Alarm])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "two", "refused"])
def test_an_interrupt_at_any_point(
    host: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes at every line in turn, and nothing is left for the garbage collector."""
    resolve(
        monkeypatch,
        two=["127.0.0.2", "127.0.0.1"],
        refused=["127.0.0.3", "127.0.0.4"],
    )
    with listening() as port:
        at = 0
        while interrupted_at_line(at, error, lambda: dial(host, port, PATIENCE)):
            at += 1
            assert at < 5000
        assert at > 10
        for thread in lookups():
            thread.join(PATIENCE)


def interrupted_at_line(
    number: int, error: type[BaseException], work: Callable[[], socket.socket]
) -> bool:
    """Interrupt ``work`` at one of the lines that it runs; return whether it came so far."""
    before, count, is_over = descriptors(), 0, False

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal count, is_over
        if is_over or not frame.f_globals.get("__name__", "").startswith("manager.transport"):
            return None
        # When sockets are being closed already, another interrupt may leave some of them open.
        if event == "line" and not {"discard", "close"} & names_of(frame):
            if count == number:
                is_over = True
                os.kill(os.getpid(), signal.SIGALRM)
            count += 1
        return trace

    def handler(*_: Any) -> None:
        raise error

    previous, tracer = signal.signal(signal.SIGALRM, handler), sys.gettrace()
    raised = None
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                sys.settrace(trace)
                sock = work()
                sys.settrace(tracer)
                sock.close()
            except (error, ConnectFailed) as exception:
                sys.settrace(tracer)
                raised = type(exception)
        assert [warning.message for warning in caught] == []
    finally:
        sys.settrace(tracer)
        signal.signal(signal.SIGALRM, previous)
    assert not is_over or raised is error
    for thread in lookups():
        thread.join(PATIENCE)
    assert descriptors() == before, f"line {number}"
    return is_over


def names_of(frame: Any) -> set[str]:
    return {frame.f_code.co_name, frame.f_back.f_code.co_name}


def test_random_interrupts() -> None:
    """As Ctrl-C comes: at any instruction."""
    chance, count = random.Random(11), 0
    with listening() as port:
        before = descriptors()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for number in range(400):  # the queue of the server holds more
                host = ("127.0.0.1", "localhost")[number % 2]
                sock = None
                with interrupted(chance.uniform(1e-6, 2e-4), Interrupt) as interrupt:
                    try:
                        sock = dial(host, port, PATIENCE)
                    except Interrupt:
                        count += 1
                if sock is not None:
                    sock.close()
                assert interrupt.is_over or sock is not None
        assert count
        assert [warning.message for warning in caught] == []
        assert descriptors() == before


class interrupted:  # noqa: N801
    """A signal after some time, whose handler raises if it meets the code of the transport."""

    def __init__(self, seconds: float, error: type[BaseException]) -> None:
        self.seconds, self.error = seconds, error
        self.is_over = False

    def handle(self, _: int, frame: Any) -> None:
        while frame is not None and not self.is_over:
            if frame.f_globals.get("__name__", "").startswith("manager.transport"):
                self.is_over = True
                raise self.error
            frame = frame.f_back

    def __enter__(self) -> interrupted:
        self.previous = signal.signal(signal.SIGALRM, self.handle)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.previous)


@pytest.mark.parametrize("host", ["localhost", "box"])
def test_where_signals_do_not_end_a_wait(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on other platforms than Linux: in slices, and on Windows with ``select``."""
    resolve(monkeypatch, box=["127.0.0.1"])
    monkeypatch.setattr(sync_dial, "_WAKES_ON_SIGNALS", False)
    monkeypatch.setattr(sync_dial, "_LONGEST_WAIT", 0.05)
    monkeypatch.setattr(sync_dial, "_Selector", sync_dial.selectors.SelectSelector)
    with listening() as port:
        check(dial(host, port, PATIENCE), "sync", ("127.0.0.1", port))
    with blackhole() as port, pytest.raises(ConnectTimedOut):
        dial("127.0.0.1", port, 0.3)
