"""When a runner counts as stuck, and what is read of processes and models to find out."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.supervisor import runners
from manager.supervisor.processes import Process, children_of, find
from manager.supervisor.runner_watch import full_name
from manager.supervisor.runners import Activity
from manager.supervisor.show import ShowModel, files_of
from manager.supervisor.stuck import Case, Finding, Stillness, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

T = 30.0
DIGEST = "ab" * 32
STUCK = Case(
    begun=T,
    unbegun=0.0,
    still=T,
    resting=True,
    age=10 * T,
    left=None,
    cut_off=None,
    slow_reader=False,
    busy=False,
)
KEPT = STUCK.replace(begun=0.0, unbegun=T, left=2 * T)

seconds = st.floats(0, 20 * T)
cases = st.builds(
    Case,
    begun=seconds,
    unbegun=seconds,
    still=seconds,
    resting=st.booleans(),
    age=seconds,
    left=st.none() | seconds,
    cut_off=st.none() | seconds,
    slow_reader=st.booleans(),
    busy=st.booleans(),
)


def test_both_kinds_of_stuck_runners_are_killed() -> None:
    assert judge(STUCK, T) is Finding.KILL
    assert judge(KEPT, T) is Finding.KILL


@pytest.mark.parametrize(
    "change",
    [{"still": T - 1}, {"resting": False}, {"slow_reader": True}],
)
@pytest.mark.parametrize("case", [STUCK, KEPT])
def test_what_explains_the_silence_saves_a_runner(case: Case, change: dict[str, Any]) -> None:
    assert judge(case.replace(**change), T) is Finding.NOTHING


def test_an_answer_that_has_just_stalled_is_given_time() -> None:
    assert judge(STUCK.replace(begun=T - 1), T) is Finding.NOTHING
    assert judge(KEPT.replace(unbegun=T - 1), T) is Finding.NOTHING


def test_a_wait_for_a_load_is_not_even_reported() -> None:
    young = KEPT.replace(left=None, age=T + T - 1)
    assert judge(young, T) is Finding.NOTHING
    assert judge(young.replace(cut_off=T), T) is Finding.NOTHING
    assert judge(young.replace(left=T), T) is Finding.KILL, "it has answered since it was started"
    assert judge(KEPT.replace(busy=True), T) is Finding.NOTHING


def test_a_manager_that_died_has_left_what_it_was_reading() -> None:
    assert judge(KEPT.replace(left=None, cut_off=2 * T), T) is Finding.KILL


def test_without_evidence_a_request_that_has_not_begun_is_only_reported() -> None:
    assert judge(KEPT.replace(left=None), T) is Finding.REPORT
    before_this_runner = KEPT.age + 1
    assert judge(KEPT.replace(left=before_this_runner), T) is Finding.REPORT


@given(cases)
def test_nothing_is_killed_without_every_reason(case: Case) -> None:
    if judge(case, T) is Finding.KILL:
        assert case.still >= T
        assert case.resting
        assert not case.slow_reader
        if case.begun < T:
            assert case.unbegun >= T
            moments = (case.left, case.cut_off)
            assert any(moment is not None and moment < case.age for moment in moments)
            assert not case.busy


@given(cases, cases)
def test_fewer_reasons_never_mean_more(case: Case, other: Case) -> None:
    """Shorter silences, and more that explains them, never make a verdict harsher."""
    order = [Finding.NOTHING, Finding.REPORT, Finding.KILL]
    milder = case.replace(
        begun=min(case.begun, other.begun),
        still=min(case.still, other.still),
        resting=case.resting and other.resting,
        slow_reader=case.slow_reader or other.slow_reader,
        busy=case.busy or other.busy,
        left=None if other.left is None else case.left,
        cut_off=None if other.cut_off is None else case.cut_off,
    )
    assert order.index(judge(milder, T)) <= order.index(judge(case, T))


# Stillness

RUNNER = Process(7, 70)
samples = st.lists(
    st.tuples(st.floats(0.01, 12), st.floats(0, 0.5), st.integers(0, 1), st.integers(0, 1)),
    max_size=40,
)


def feed(
    steps: Sequence[tuple[float, float, int, int]],
) -> tuple[Stillness, list[tuple[float, ...]]]:
    """Take samples, each so much later and with so much more done than the one before."""
    stillness = Stillness(T, T / 3)
    now, cpu, read, faults = 1000.0, 5.0, 100, 3
    history: list[tuple[float, ...]] = []
    for later, more, reads, waits in [(0.0, 0.0, 0, 0), *steps]:
        now, cpu, read, faults = now + later, cpu + more, read + reads, faults + waits
        stillness.add(now, {RUNNER: Activity(cpu, read, faults)})
        history.append((now, cpu, read, faults))
    return stillness, history


def test_a_runner_that_does_nothing_is_still() -> None:
    assert feed([])[0].still(RUNNER) == 0
    assert feed([(T / 3, 0, 0, 0)] * 2)[0].still(RUNNER) < T
    assert feed([(T / 3, 0, 0, 0)] * 3)[0].still(RUNNER) >= T


@pytest.mark.parametrize("step", [(10, 0.2, 0, 0), (10, 0, 1, 0), (10, 0, 0, 1)])
def test_one_that_computes_or_reads_is_not(step: tuple[float, float, int, int]) -> None:
    nothing = (10.0, 0.0, 0, 0)
    assert feed([nothing, step, nothing])[0].still(RUNNER) == 0
    assert feed([step, nothing, nothing, nothing])[0].still(RUNNER) >= T


def test_the_ticking_of_an_idle_one_does_not_add_up() -> None:
    long = [(10.0, 0.01, 0, 0)] * 400
    assert feed(long)[0].still(RUNNER) >= T
    assert feed([*long, (10.0, 0.5, 0, 0)])[0].still(RUNNER) == 0


def test_a_gap_in_the_samples_bears_witness_to_nothing() -> None:
    assert feed([(3600, 0, 0, 0)])[0].still(RUNNER) == 0
    assert feed([(10, 0, 0, 0)] * 3 + [(3600, 0, 0, 0), (10, 0, 0, 0)])[0].still(RUNNER) == 10


def test_another_process_begins_anew() -> None:
    stillness = feed([(10, 0, 0, 0)] * 3)[0]
    stillness.add(1031.0, {Process(7, 71): Activity(5.0, 100, 3)})
    assert stillness.still(Process(7, 71)) == 0
    assert stillness.still(RUNNER) == 0


@given(samples)
def test_stillness_is_what_the_samples_of_the_window_say(
    steps: list[tuple[float, float, int, int]],
) -> None:
    stillness, history = feed(steps)
    still = stillness.still(RUNNER)
    now, cpu, read, faults = history[-1]
    covered = [entry for entry in history if entry[0] >= now - still]
    assert all(entry[2:] == (read, faults) for entry in covered)
    assert cpu - covered[0][1] <= 0.02 + 0.002 * still
    assert still <= T + T / 3 * 3


def test_the_share_of_a_core() -> None:
    assert feed([])[0].share(RUNNER) == 1.0
    assert feed([(10.0, 5.0, 0, 0)])[0].share(RUNNER) == 0.5


# What is read of processes


def test_digests_of_paths() -> None:
    assert runners.digest_in(f"/models/blobs/sha256-{DIGEST}") == DIGEST
    assert runners.digest_in(f"C:\\models\\sha256-{DIGEST}") == DIGEST
    for other in ("", "llama3.2:latest", DIGEST, "sha256-abc", f"sha256-{'x' * 64}"):
        assert runners.digest_in(other) is None


@linux_only
def test_a_process_is_seen_at_work_and_at_rest() -> None:
    me = find(os.getpid())
    assert me is not None
    done = runners.activity(me)
    assert done is not None
    assert done.cpu > 0
    assert not runners.is_resting(me), "it runs at this moment"
    assert 0 < runners.age(me) < 1e6
    assert runners.digests(me) == set()


@linux_only
def test_of_a_process_that_is_gone_nothing_is_known() -> None:
    gone = Process(os.getpid(), 1)
    nobody = Process(2**22 + 1, 1)
    assert runners.activity(gone) is None
    assert runners.activity(nobody) is None
    assert not runners.is_resting(nobody)
    assert children_of(nobody.pid) == []
    assert runners.has_slow_reader(nobody.pid, 11434), "it cannot be ruled out"


def fill(connection: socket.socket) -> None:
    while True:
        connection.send(b"x" * 65536)


@linux_only
def test_a_client_that_does_not_read_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not runners.has_slow_reader(os.getpid(), port)
        with socket.create_connection(("127.0.0.1", port)) as client:
            served, _ = listener.accept()
            with served:
                served.sendall(b"some")
                client.recv(100)
                assert not runners.has_slow_reader(os.getpid(), port)
                served.setblocking(False)
                with pytest.raises(BlockingIOError):
                    fill(served)
                assert runners.has_slow_reader(os.getpid(), port)
    assert runners.has_slow_reader(os.getpid(), port), "nobody listens there"


# What the server says about a model


@pytest.mark.parametrize(
    ("status", "body", "files"),
    [
        (
            "200 OK",
            {"modelfile": f"# FROM x\n\nFROM /m/blobs/sha256-{DIGEST}\nTEMPLATE x"},
            {DIGEST},
        ),
        ("200 OK", {"modelfile": f"# FROM /m/sha256-{DIGEST}\nSYSTEM FROM sha256-{DIGEST}"}, set()),
        ("200 OK", {"modelfile": "FROM llama3.2"}, set()),
        ("200 OK", {"modelfile": None}, set()),
        ("200 OK", [], set()),
        ("404 Not Found", {"modelfile": f"FROM /m/blobs/sha256-{DIGEST}"}, set()),
    ],
)
def test_the_files_of_a_model(status: str, body: object, files: set[str]) -> None:
    answer = f"HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n{json.dumps(body)}"
    assert files_of(answer.encode()) == files
    assert files_of(b"") == files_of(b"nonsense") == set()


def test_a_server_is_asked_for_a_model_without_waiting() -> None:
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(65536))
            body = json.dumps({"modelfile": f"FROM /m/blobs/sha256-{DIGEST}", "x": "y" * 300_000})
            connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{body}".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        show = ShowModel("127.0.0.1", listener.getsockname()[1], "tiny")
        while not show.advance():
            assert show.socket is not None
            show.socket.setblocking(True)
            show.socket.settimeout(10)
            if not show.wants_write:
                show.socket.recv(1, socket.MSG_PEEK)
            show.socket.setblocking(False)
    assert show.digests == {DIGEST}
    assert asked[0].startswith(b"POST /api/show HTTP/1.0\r\n")
    assert asked[0].endswith(b'{"model": "tiny"}')


def test_a_server_that_is_not_there_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    show = ShowModel("127.0.0.1", port, "tiny")
    while not show.advance():
        pass
    assert show.digests == set()
    assert show.socket is None


def test_two_spellings_of_a_name_are_one() -> None:
    assert full_name("tiny") == full_name("tiny:latest") == "tiny:latest"
    assert full_name("host:5000/a/tiny") == "host:5000/a/tiny:latest"
    assert full_name("tiny:q4") == "tiny:q4"
