"""What callers of a link hear when its thread meets what nobody expected: an error, in time."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from manager.errors import OllamaManagerError, ServerNotFoundError, ServerUnavailableError
from manager.supervisor import link_thread
from manager.supervisor import session as session_module
from manager.supervisor.link import SupervisorLink
from manager.supervisor.session import Session
from manager.supervisor.settings import ServerSettings
from manager.supervisor.states import Ownership, ServerState, Snapshot
from manager.supervisor.stragglers import Stragglers
from manager.waiting_async import wait_async

from ..ports import free_port
from .test_supervisor_meeting import PATIENCE, Supervisor, hello

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    Make = Callable[..., SupervisorLink]


class Unspeakable(Exception):
    """An error that cannot even be shown."""

    def __repr__(self) -> str:
        raise ZeroDivisionError

    __str__ = __repr__


class Killed(BaseException):
    """What ends a green thread, for one."""


ERRORS = [
    ZeroDivisionError("a mistake"),
    OSError(errno.EMFILE, "Too many open files"),
    StopIteration("no more"),
    MemoryError(),
    SystemExit(3),
    Killed("from outside"),
    Unspeakable(),
]
COMMANDS: dict[str, Callable[[SupervisorLink], tuple[Future[Any], ...]]] = {
    "acquire": lambda link: (link.acquire(),),
    "reacquire": lambda link: (link.reacquire(),),
    "start": lambda link: (link.start(),),
    "restart": lambda link: (link.restart(),),
    "stop": lambda link: (link.stop(),),
    "log": lambda link: (link.log(),),
    "change": lambda link: link.change(link.settings, mode="restart"),
    "configure": lambda link: (link.configure(link.settings),),
    "close": lambda link: (link.close(),),
}


def raises(error: BaseException) -> Callable[..., Any]:
    def raise_it(*_: object, **__: object) -> Any:
        raise error

    return raise_it


def outcome(future: Future[Any]) -> OllamaManagerError | None:
    """How it ended, which it does in time."""
    error = future.exception(PATIENCE)
    assert error is None or isinstance(error, OllamaManagerError), repr(error)
    return error


def failed(future: Future[Any], cause: BaseException) -> None:
    error = outcome(future)
    assert isinstance(error, ServerUnavailableError)
    assert (error.code, error.retryable) == ("link_failed", True)
    assert error.hint
    assert type(cause).__name__ in error.message
    assert error.__cause__ is cause


def works(link: SupervisorLink) -> None:
    """The next call is answered as ever."""
    assert isinstance(outcome(link.start()), ServerNotFoundError)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def make(port: int) -> Iterator[Make]:
    made: list[SupervisorLink] = []

    def make(**callbacks: Any) -> SupervisorLink:
        settings = ServerSettings(port=port, binary=(f"/no/such/{uuid.uuid4()}",))
        made.append(SupervisorLink(settings, **callbacks))
        return made[-1]

    yield make
    for link in made:
        link.close().result(PATIENCE)


def snapshot(**changes: Any) -> dict[str, Any]:
    ready = Snapshot(ServerState.READY, Ownership.MANAGED, "http://127.0.0.1:1", pid=1)
    return {**ready.to_dict(), **changes}


NONSENSE = snapshot(state="no such state")
"""What the state of the link cannot be made from: a ValueError in the middle of its work."""


class TestACommand:
    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
    @pytest.mark.parametrize("name", ["acquire", "reacquire", "start", "restart", "stop", "change"])
    def test_that_cannot_look(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException
    ) -> None:
        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(session_module, "look", raises(error))
            for future in COMMANDS[name](link):
                failed(future, error)
        works(link)

    def test_that_cannot_look_leaves_the_thread_alone(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(session_module, "look", raises(ERRORS[0]))
            failed(link.acquire(), ERRORS[0])
            thread = link._thread
        works(link)
        assert link._thread is thread

    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
    @pytest.mark.parametrize("name", COMMANDS)
    def test_that_fails_anyhow(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException
    ) -> None:
        link = make()
        works(link)
        with monkeypatch.context() as patch:
            method = {"reacquire": "acquire", "start": "acquire", "restart": "acquire"}
            patch.setattr(Session, method.get(name, name), raises(error))
            for future in COMMANDS[name](link):
                failed(future, error)
        if name != "close":
            works(link)

    def test_that_stands_behind_another(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def fail(*_: object) -> None:
            begun.set()
            assert go_on.wait(PATIENCE)
            raise ERRORS[0]

        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(Session, "log", fail)
            futures = [link.log()]
            assert begun.wait(PATIENCE)
            for name in COMMANDS:
                futures += COMMANDS[name](link)
            go_on.set()
            for future in futures:
                failed(future, ERRORS[0])
        link.close().result(PATIENCE)

    def test_whose_waiter_gave_up(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def look(*_: object) -> None:
            begun.set()
            assert go_on.wait(PATIENCE)
            raise ERRORS[0]

        link = make()
        monkeypatch.setattr(session_module, "look", look)
        accepted, future = link.change(link.settings, mode="restart")
        other = link.acquire()
        assert begun.wait(PATIENCE)
        assert future.cancel()
        go_on.set()
        failed(other, ERRORS[0])
        assert accepted.cancelled()


class TestTheThread:
    """Each of them ends it, whatever else goes wrong then."""

    @pytest.fixture(params=["nothing", "connections", "stragglers", "log", "all"])
    def _cleaning_up(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        drop = Session.drop_connections

        def drop_and_fail(session: Session) -> None:
            drop(session)
            raise Killed("again")

        if request.param in ("connections", "all"):
            monkeypatch.setattr(Session, "drop_connections", drop_and_fail)
        if request.param in ("stragglers", "all"):
            monkeypatch.setattr(Stragglers, "finish", raises(Killed("again")))
        if request.param in ("log", "all"):
            monkeypatch.setattr(
                logging.getLogger("ollama_manager.supervisor"), "handle", raises(Killed("again"))
            )

    @pytest.mark.usefixtures("_cleaning_up")
    @pytest.mark.parametrize("name", [name for name in COMMANDS if name != "close"])
    def test_where_the_selector_fails(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(Session, "timeout", raises(ERRORS[0]))
            for future in COMMANDS[name](link):
                failed(future, ERRORS[0])

    @pytest.mark.usefixtures("_cleaning_up")
    def test_where_what_is_delayed_is_due(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        error, tick = Killed("from outside"), Session.tick

        def fail_when_delayed(session: Session) -> None:
            if len(session._delayed) == 2:
                monkeypatch.setattr(session_module, "look", raises(error))
                session._look_at = 0.0
            tick(session)

        with monkeypatch.context() as patch:
            patch.setattr(Session, "tick", fail_when_delayed)
            link = make()
            link.configure(link.settings).result(PATIENCE)
            assert link._thread is not None
            link._thread.session._awaited_until = float("inf")  # a server that is on its way back
            futures = [link.acquire(), link.reacquire()]
            for future in futures:
                failed(future, error)

    @pytest.mark.usefixtures("_cleaning_up")
    @pytest.mark.parametrize(
        "said",
        [
            {"snapshot": NONSENSE},
            {"id": 1, "ok": NONSENSE},
            {"id": 1, "error": 5},
            {"accepted": "nonsense"},
            {"id": []},
        ],
        ids=str,
    )
    def test_where_the_supervisor_talks_nonsense(
        self, make: Make, port: int, said: dict[str, Any]
    ) -> None:
        link = make()
        with Supervisor(port, [hello(), said]):
            accepted, future = link.change(link.settings, mode="restart")
            for waiting in (accepted, future):
                error = outcome(waiting)
                assert isinstance(error, ServerUnavailableError)
                assert error.code == "link_failed"
                assert error.__cause__ is not None

    @pytest.mark.parametrize("said", [{"id": 0, "ok": {}, "snapshot": NONSENSE}])
    def test_while_it_closes(self, make: Make, port: int, said: dict[str, Any]) -> None:
        link = make()
        granted = {"id": 1, "ok": snapshot()}
        with Supervisor(port, [hello(), granted, said]):
            assert link.acquire().result(PATIENCE).ready
            error = outcome(link.close())
            assert error is not None
            assert error.code == "link_failed"
            assert isinstance(error.__cause__, ValueError)
        link.close().result(PATIENCE)  # nothing is left to be closed
        assert outcome(link.acquire()).code == "manager_closed"  # type: ignore[union-attr]

    def test_what_was_known_is_known_no_more(self, make: Make, port: int) -> None:
        """A call that believed in it would be sent to a server that it has no lease on."""
        heard: list[Snapshot] = []
        link = make(on_change=heard.append)
        granted = {"id": 1, "ok": snapshot()}
        with Supervisor(port, [hello(), granted, {"snapshot": NONSENSE}]):
            assert link.acquire().result(PATIENCE).ready
            error = outcome(link.acquire())
        assert error is not None
        assert error.code == "link_failed"
        assert heard[-1] is link.snapshot
        assert (link.snapshot.state, link.snapshot.ownership) == ("stopped", "none")
        works(link)

    def test_a_callback_that_ends_the_program(self, make: Make, port: int) -> None:
        link = make(on_change=raises(SystemExit(3)))
        with Supervisor(port, [hello(), {"snapshot": snapshot()}]):
            error = outcome(link.acquire())
        assert error is not None
        assert error.code == "link_failed"

    def test_it_is_logged(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        error = ZeroDivisionError("a mistake of its own")
        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(Session, "timeout", raises(error))
            failed(link.acquire(), error)
        for thread in threading.enumerate():
            if thread.name == "ollama-manager-link":
                thread.join(PATIENCE)
        said = [
            record.getMessage()
            for record in caplog.records
            if record.exc_info and record.exc_info[1] is error
        ]
        assert said == ["the link to the supervisor failed"]

    async def test_as_an_event_loop_hears_of_it(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(Session, "timeout", raises(StopIteration("no more")))
            waiting = [wait_async(link.acquire(), PATIENCE), wait_async(link.stop(), PATIENCE)]
            errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert [getattr(error, "code", error) for error in errors] == ["link_failed"] * 2


class TestBeginning:
    @pytest.mark.parametrize("error", ERRORS[:2], ids=lambda error: type(error).__name__)
    @pytest.mark.parametrize("what", ["sockets", "selector", "session", "thread"])
    @pytest.mark.parametrize("name", COMMANDS)
    def test_where_nothing_can_be_begun(
        self,
        make: Make,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        what: str,
        error: BaseException,
    ) -> None:
        where: Any = {
            "sockets": (link_thread.socket, "socketpair"),  # type: ignore[attr-defined]
            "selector": (link_thread.selectors, "DefaultSelector"),  # type: ignore[attr-defined]
            "session": (Session, "__init__"),
            "thread": (threading.Thread, "start"),
        }[what]
        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(*where, raises(error))
            for future in COMMANDS[name](link):
                if name == "close":  # there is nothing to be closed
                    future.result(PATIENCE)
                else:
                    failed(future, error)
        if name != "close":
            works(link)

    @pytest.mark.parametrize("what", ["sockets", "thread"])
    def test_a_program_that_is_interrupted_meanwhile(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, what: str
    ) -> None:
        """Ctrl-C is the caller's, who asks again, or closes."""
        where: Any = {
            "sockets": (link_thread.socket, "socketpair"),  # type: ignore[attr-defined]
            "thread": (threading.Thread, "start"),
        }[what]
        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(*where, raises(KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                link.acquire()
        works(link)

    def test_closing_that_is_interrupted(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        link = make()
        works(link)
        with monkeypatch.context() as patch:
            patch.setattr(link_thread.LinkThread, "submit", raises(KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                link.close()
        link.close().result(PATIENCE)

    def test_a_thread_that_cannot_be_woken(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Broken:
            def send(self, _data: bytes) -> int:
                raise error

        error = OSError(errno.ENOMEM, "Cannot allocate memory")
        link = make()
        works(link)
        thread = link._thread
        assert thread is not None
        with monkeypatch.context() as patch:
            patch.setattr(thread, "_wakeup", Broken())
            failed(link.acquire(), error)
        works(link)

    def test_closing_after_the_end(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        link = make()
        with monkeypatch.context() as patch:
            patch.setattr(Session, "timeout", raises(ERRORS[0]))
            failed(link.acquire(), ERRORS[0])
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socketpair", raises(OSError(errno.EMFILE, "too many")))
            link.close().result(PATIENCE)
