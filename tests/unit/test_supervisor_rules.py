"""The supervisor's pure parts: restarts, leases, settings, causes, records, snapshots."""

from __future__ import annotations

import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.supervisor.causes import describe, explain_exit
from manager.supervisor.leases import LeaseBook
from manager.supervisor.restarts import Restart, RestartPolicy, decide_restart
from manager.supervisor.settings import ServerSettings, connect_host, server_address
from manager.supervisor.states import (
    TRANSITIONS,
    Ownership,
    ServerState,
    Snapshot,
    may_follow,
)

# Restarts


def test_stable_server_restarts_at_once_and_is_forgiven() -> None:
    decided = decide_restart(RestartPolicy(), ready_for=1.0, failures=4)
    assert decided == Restart(0.0, 0)


@pytest.mark.parametrize("ready_for", [None, 0.0, 0.99])
def test_early_deaths_wait_longer_each_time(ready_for: float | None) -> None:
    policy = RestartPolicy(initial_delay=1.0, multiplier=3.0, max_delay=5.0, max_failures=4)
    delays: list[float | None] = []
    failures = 0
    for _ in range(4):
        decided = decide_restart(policy, ready_for=ready_for, failures=failures)
        failures = decided.failures
        delays.append(decided.delay)
    assert delays == [1.0, 3.0, 5.0, None]


@given(chance=st.floats(0, 1), failures=st.integers(0, 3))
def test_jitter_stays_within_its_share(chance: float, failures: int) -> None:
    policy = RestartPolicy(jitter=0.2)
    plain = decide_restart(policy, ready_for=None, failures=failures).delay
    decided = decide_restart(policy, ready_for=None, failures=failures, chance=chance).delay
    assert plain is not None
    assert decided is not None
    assert plain * 0.799 <= decided <= plain * 1.201


# Leases


def test_no_lease_is_over_at_once() -> None:
    assert LeaseBook().expiry() == -math.inf


def test_last_lease_leaves_its_linger() -> None:
    book = LeaseBook()
    book.take(1, 0.0)
    book.take(2, 5.0)
    assert len(book) == 2
    book.end(2, now=10.0)
    assert book.expiry() is None
    book.end(1, now=12.0)
    assert book.expiry() == 15.0


def test_who_renews_an_endless_lease_with_an_end_takes_it_back() -> None:
    book = LeaseBook()
    book.take(1, math.inf)
    book.take(2, math.inf)
    book.take(1, 5.0)
    assert book.endless, "somebody else still wants it"
    book.take(2, 7.0)
    assert not book.endless
    book.end(1, 100.0)
    book.end(2, 100.0)
    assert book.expiry() == 107.0


def test_endless_lease_survives_its_holder_until_the_stop() -> None:
    book = LeaseBook()
    book.take(1, math.inf)
    assert book.others(1) == 0
    assert book.others(2) == 1
    book.end(1, now=0.0)
    assert book.expiry() is None
    assert book.others(2) == 1
    book.end_all()
    assert book.expiry() == -math.inf
    assert not book.endless


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["take", "end"]), st.floats(0, 9))))
def test_server_outlives_every_lease_by_its_linger(
    steps: list[tuple[int, str, float]],
) -> None:
    book = LeaseBook()
    held: dict[int, float] = {}
    until = -math.inf
    for now, (holder, step, linger) in enumerate(steps):
        if step == "take":
            book.take(holder, linger)
            held[holder] = linger
        else:
            book.end(holder, float(now))
            if holder in held:
                until = max(until, now + held.pop(holder))
        assert set(book) == set(held)
        assert len(book) == len(held)
        assert book.expiry() == (None if held else until)


# Settings


def test_settings_cross_the_wire() -> None:
    settings = ServerSettings(
        binary=("/x/ollama", "--flag"),
        env={"OLLAMA_DEBUG": "1"},
        linger=math.inf,
        restart=RestartPolicy(max_failures=9),
    )
    line = json.dumps(settings.to_dict())
    assert ServerSettings.from_dict({**json.loads(line), "from_the_future": 1}) == settings


def test_only_explicit_settings_are_compared() -> None:
    running = ("/usr/bin/ollama",)
    environ = {"OLLAMA_DEBUG": "1", "PATH": "/bin"}
    assert ServerSettings().difference(running, environ, ("/other",)) == []
    same = ServerSettings(env={"OLLAMA_DEBUG": "1", "OLLAMA_HOST": "elsewhere"})
    assert same.difference(running, environ, running) == []
    other = ServerSettings(binary=("x",), env={"OLLAMA_DEBUG": "2", "OLLAMA_MODELS": "/m"})
    assert other.difference(running, environ, ("/x",)) == [
        "OLLAMA_DEBUG",
        "OLLAMA_MODELS",
        "binary",
    ]


@pytest.mark.parametrize(
    ("host", "address", "connect"),
    [
        ("127.0.0.1", "127.0.0.1:1", "127.0.0.1"),
        ("LocalHost", "127.0.0.1:1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0:1", "127.0.0.1"),
        ("::", "[::]:1", "::1"),
        ("[::1]", "[::1]:1", "::1"),
        ("box.local", "box.local:1", "box.local"),
    ],
)
def test_one_spelling_for_each_address(host: str, address: str, connect: str) -> None:
    assert server_address(host, 1) == address
    assert connect_host(host) == connect


# Causes


@pytest.mark.parametrize(
    ("code", "log", "expected"),
    [
        # As Ollama 0.24.0 and 0.33.0-rc2 write them.
        (1, ["Error: listen tcp 127.0.0.1:1: bind: address already in use"], "port_in_use"),
        (1, ["Error: listen tcp 127.0.0.1:80: bind: permission denied"], "port_forbidden"),
        (1, ["Error: listen tcp 192.0.2.7:1: bind: cannot assign requested address"], "bad_host"),
        (1, ["Error: listen tcp: lookup no.such on 10.0.0.1:53: no such host"], "bad_host"),
        (2, ["panic: $HOME is not defined", "", "goroutine 1:", *["x"] * 30], "home_not_set"),
        (
            2,
            ["panic: bad origin: origins must contain '*' or include http://", "goroutine 1:"],
            "bad_setting",
        ),
        (2, ["panic: only one * is allowed", "", "goroutine 1:"], "bad_setting"),
        (
            1,
            ["Error: mkdir /m/blobs: permission denied: ensure path elements are traversable"],
            "models_unreadable",
        ),
        (
            1,
            ["Error: mkdir /m: not a directory: ensure path elements are traversable"],
            "models_unreadable",
        ),
        (
            1,
            ["Error: mkdir /m: read-only file system: ensure path elements are traversable"],
            "models_unreadable",
        ),
        (1, ["Error: open /m/blobs: permission denied"], "permission_denied"),
        (
            1,
            ["Error: could not create directory mkdir /h/.ollama: permission denied"],
            "home_unwritable",
        ),
        (1, ["Error: write /h/.ollama/id_ed25519: no space left on device"], "disk_full"),
        (
            2,
            ["runtime: epollcreate failed with 24", "fatal error: runtime: netpollinit failed"],
            "too_few_files",
        ),
        (2, ["fatal error: failed to reserve page summary memory"], "out_of_memory"),
        (1, ["permission denied while probing a GPU", "Error: something else"], "exited"),
        # Programs that are not Ollama.
        (1, ['Error: unknown command "serve" for "x"', "Run 'x --help' for usage."], "not_ollama"),
        (2, ["/bin/ls: cannot access 'serve': No such file or directory"], "not_ollama"),
        (2, ["/bin/sh: 0: cannot open serve: No such file"], "not_ollama"),
        (2, ["python3: can't open file '/x/serve': [Errno 2] No such file"], "not_ollama"),
        (0, ["Error: address already in use"], "ended"),
        (-9, ["Error: address already in use"], "killed"),
        (3, [], "exited"),
    ],
)
def test_exit_in_words(code: int, log: list[str], expected: str) -> None:
    assert explain_exit(code, log).code == expected


def test_exit_without_known_words_is_quoted() -> None:
    cause = explain_exit(7, ["time=now level=INFO", "Error: something new", "more"])
    assert cause.message == "it exited with code 7: something new"
    assert cause.hint is None
    cause = explain_exit(7, ["usage: x [OPTION]", "  "])
    assert cause.message == "it exited with code 7: usage: x [OPTION]"
    assert cause.hint is not None
    assert "binary" in cause.hint


def test_end_without_an_error() -> None:
    assert "binary" in (explain_exit(0, ()).hint or "")
    assert explain_exit(0, (), ready=True).hint is None
    assert "told to" in explain_exit(0, (), ready=True).message


def test_want_of_memory_is_suspected() -> None:
    cause = explain_exit(-9, ())
    assert cause.message == "it was ended by SIGKILL"
    assert "memory" in (cause.hint or "")


def test_taken_port_is_no_crash() -> None:
    cause = explain_exit(1, ["Error: bind: address already in use"])
    error = describe(cause, started=True, exit_code=1, log=())
    assert (error["error"], error["code"]) == ("ServerStartError", "port_in_use")


def test_signals_are_named() -> None:
    assert "SIGSEGV" in explain_exit(-11, ()).message
    assert "signal 99" in explain_exit(-99, ()).message


def test_failure_as_data() -> None:
    cause = explain_exit(1, ["Error: bind: address already in use"])
    error = describe(cause, started=False, exit_code=1, log=[str(n) for n in range(99)])
    assert error["code"] == "port_in_use"
    assert error["log"][-1] == "98"
    assert len(error["log"]) == 20
    panic = ["before", "panic: bad origin", *map(str, range(99))]
    error = describe(explain_exit(2, panic), started=False, exit_code=2, log=panic)
    assert error["log"][0] == "panic: bad origin"
    assert len(error["log"]) == 20
    crash = explain_exit(-9, ())
    assert describe(crash, started=True, exit_code=-9, log=())["error"] == "ServerCrashedError"


# States and records


def test_state_table_is_whole() -> None:
    assert set(TRANSITIONS) == set(ServerState)
    reachable = {after for states in TRANSITIONS.values() for after in states}
    assert reachable == set(ServerState)
    assert may_follow(ServerState.READY, ServerState.READY)
    assert not may_follow(ServerState.STOPPED, ServerState.READY)


def test_snapshot_crosses_the_wire() -> None:
    snapshot = Snapshot(ServerState.READY, Ownership.MANAGED, "http://x", pid=3, last_error={})
    line = json.dumps(snapshot.to_dict())
    again = Snapshot.from_dict({**json.loads(line), "from_the_future": 1})
    assert again == snapshot
    assert again.state is ServerState.READY
    assert again.ready
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot


def test_snapshot_of_what_is_gone() -> None:
    snapshot = Snapshot(ServerState.READY, Ownership.MANAGED, "http://x", pid=3, generation=2)
    gone = snapshot.gone("server.stopped", "why")
    assert (gone.state, gone.ownership) == (ServerState.STOPPED, Ownership.NONE)
    assert (gone.pid, gone.generation, gone.cause) == (None, 2, "why")


def test_records_are_frozen_and_strict() -> None:
    policy = RestartPolicy()
    with pytest.raises(AttributeError):
        policy.jitter = 1.0  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del policy.jitter
    with pytest.raises(TypeError):
        RestartPolicy(nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        RestartPolicy(1.0, stable_after=1.0)  # type: ignore[misc]
    with pytest.raises(TypeError):
        Restart(1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Restart(1.0, 2, 3)  # type: ignore[call-arg]
    assert policy.replace(jitter=0.5).jitter == 0.5
    assert hash(policy) == hash(RestartPolicy())
    assert policy != Restart(0.0, 0)
    assert repr(Restart(0.5, 1)) == "Restart(delay=0.5, failures=1)"
