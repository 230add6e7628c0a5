"""Who may have a connection: in turn, whatever becomes of a slot, also between two instructions."""

from __future__ import annotations

import dis
import gc
import inspect
import signal
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from manager.transport import queue as queue_module
from manager.transport.queue import Slot, SlotQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TraceFunction


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_first_come_first_served() -> None:
    queue = SlotQueue(2)
    slots = [queue.ask() for _ in range(5)]
    assert [slot.is_granted for slot in slots] == [True, True, False, False, False]
    queue.free(slots[3])
    queue.free(slots[0])
    assert [slot.is_granted for slot in slots] == [True, True, True, False, False]
    queue.free(slots[1])
    assert slots[4].is_granted
    assert not slots[3].is_granted


def test_a_slot_is_freed_once() -> None:
    queue = SlotQueue(1)
    first, second, third = queue.ask(), queue.ask(), queue.ask()
    queue.free(first)
    queue.free(first)
    assert second.is_granted
    assert not third.is_granted


def test_without_a_limit_nobody_waits() -> None:
    queue = SlotQueue(None)
    slots = [queue.ask() for _ in range(500)]
    assert all(slot.is_granted for slot in slots)


def test_at_the_end_everybody_is_let_in() -> None:
    queue = SlotQueue(1)
    slots, noticed = [queue.ask() for _ in range(3)], []
    for number, slot in enumerate(slots):
        slot.notify(lambda number=number: noticed.append(number))  # type: ignore[misc]
    assert noticed == [0]
    queue.open()
    assert noticed == [0, 1, 2]
    assert queue.ask().is_granted


def test_a_notice_comes_once() -> None:
    queue, noticed = SlotQueue(1), []
    first, second = queue.ask(), queue.ask()
    second.notify(lambda: noticed.append("second"))
    assert not noticed
    queue.free(first)
    queue.grant_free_slots()
    queue.free(second)
    queue.free(second)
    assert noticed == ["second"]


def test_a_notice_that_comes_with_the_grant_comes_once() -> None:
    """The waiter says whom to notify just when another thread grants its slot."""
    for _ in range(300):
        queue, noticed = SlotQueue(1), []
        first, second = queue.ask(), queue.ask()
        barrier = threading.Barrier(2)

        def free(queue: SlotQueue = queue, slot: Slot = first, at: Any = barrier) -> None:
            at.wait()
            queue.free(slot)

        thread = threading.Thread(target=free)
        thread.start()
        barrier.wait()
        second.notify(lambda noticed=noticed: noticed.append(1))  # type: ignore[misc]
        thread.join()
        assert noticed == [1]


def test_a_notice_that_fails_leaves_the_queue_as_it_should_be() -> None:
    """As of an event loop that was closed meanwhile."""
    queue, noticed = SlotQueue(2), []
    first, second = queue.ask(), queue.ask()
    gone, waiting = queue.ask(), queue.ask()

    def fail() -> None:
        raise RuntimeError("Event loop is closed")

    gone.notify(fail)
    waiting.notify(lambda: noticed.append("waiting"))
    with pytest.raises(RuntimeError):
        queue.free(first)
    assert gone.is_granted
    queue.free(second)
    assert noticed == ["waiting"]
    queue.free(gone)
    assert queue.ask().is_granted


@pytest.mark.usefixtures("no_collector")
def test_a_slot_that_is_dropped_makes_room() -> None:
    queue = SlotQueue(1)
    first, second = queue.ask(), queue.ask()
    del first
    assert not second.is_granted, "nobody has looked"
    queue.grant_free_slots()
    assert second.is_granted
    del second
    assert queue.ask().is_granted


@pytest.mark.usefixtures("no_collector")
def test_nobody_waits_behind_slots_that_were_dropped() -> None:
    queue = SlotQueue(1)
    first, second = queue.ask(), queue.ask()
    del first, second
    assert queue.ask().is_granted


@pytest.mark.usefixtures("no_collector")
def test_those_who_ask_later_do_not_overtake() -> None:
    queue = SlotQueue(1)
    first, second = queue.ask(), queue.ask()
    del first
    third = queue.ask()
    assert second.is_granted
    assert not third.is_granted


def test_a_slot_in_a_cycle() -> None:
    queue = SlotQueue(1)
    cycle: list[object] = [queue.ask()]
    cycle.append(cycle)
    second = queue.ask()
    del cycle
    gc.collect()
    queue.grant_free_slots()
    assert second.is_granted


def test_those_who_gave_up_waiting_are_forgotten() -> None:
    """One call that takes hours must not make the others add up."""
    queue = SlotQueue(1)
    first, kept = queue.ask(), queue.ask()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(2_000):
        queue.free(queue.ask())
    gc.collect()
    references = sum(isinstance(thing, weakref.ref) for thing in gc.get_objects()[before:])
    assert references < 100
    queue.free(first)
    assert kept.is_granted


# Re-entrance: a finalizer runs at any instruction, also inside the queue


class Finalized:
    """In a cycle, so that the garbage collector decides when it ends."""

    def __init__(self, queue: SlotQueue, slot: Slot | None) -> None:
        self.queue, self.slot, self.itself = queue, slot, self

    def __del__(self) -> None:
        if self.slot is None:
            self.queue.free(self.queue.ask())
        else:
            self.queue.free(self.slot)


def granted(slots: list[Slot]) -> int:
    return sum(slot.is_granted and not slot.is_over for slot in slots)


@pytest.mark.parametrize("asks", [False, True])
def test_finalizers_may_use_the_queue_at_any_moment(asks: bool) -> None:
    queue, slots = SlotQueue(3), list[Slot]()
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(300):
            Finalized(queue, None if asks else queue.ask())
            slots.append(queue.ask())
            assert granted(slots) <= 3
            if len(slots) > 5:
                queue.free(slots.pop(0))
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    while slots:
        queue.grant_free_slots()
        assert [slot.is_granted for slot in slots] == [n < 3 for n in range(len(slots))]
        queue.free(slots.pop(0))


def test_a_notice_may_use_the_queue() -> None:
    queue = SlotQueue(1)
    slots = [queue.ask() for _ in range(50)]
    order: list[int] = []

    def done(number: int) -> None:
        order.append(number)
        queue.free(slots[number])

    for number, slot in enumerate(slots):
        slot.notify(lambda number=number: done(number))  # type: ignore[misc]
    assert order == list(range(50))


# Interrupts


def interrupt(function: Callable[[], object], place: int) -> bool:
    """Raise KeyboardInterrupt at one of the places where Python runs signal handlers.

    That is after a call, at the start of a function and at the end of a loop's body.

    Returns:
        Whether there are so many places.
    """
    left = place
    last: dict[FrameType, str] = {}

    def trace(frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        nonlocal left
        if frame.f_code.co_filename != queue_module.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            name = last.get(frame, "")
            last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if name.startswith(("CALL", "RESUME", "JUMP_BACKWARD")):
                left -= 1
                if left < 0:
                    raise KeyboardInterrupt
        return trace

    before, here = sys.gettrace(), inspect.currentframe()
    assert here is not None
    here.f_trace_opcodes = True  # Python 3.12 looks for it before it begins to trace
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("what", ["ask", "free", "free one that waits", "grant", "open"])
def test_an_interrupt_at_every_place_in_turn(what: str) -> None:
    for place in range(10_000):
        queue, noticed = SlotQueue(2), list[int]()
        slots = [queue.ask() for _ in range(6)]
        for number, slot in enumerate(slots):
            slot.notify(lambda number=number, noticed=noticed: noticed.append(number))  # type: ignore[misc]
        actions: dict[str, Callable[[], object]] = {
            "ask": queue.ask,
            "free": lambda queue=queue, slots=slots: queue.free(slots[0]),  # type: ignore[misc]
            "free one that waits": lambda queue=queue, slots=slots: queue.free(slots[3]),  # type: ignore[misc]
            "grant": queue.grant_free_slots,
            "open": queue.open,
        }
        if what == "grant":
            del slots[0], slot
        was_interrupted = interrupt(actions.pop(what), place)
        actions.clear()
        gc.collect()  # the frames that were interrupted refer to a slot
        in_another_thread(queue.grant_free_slots)  # it would wait for a lock that is held
        slots = [slot for slot in slots if not slot.is_over]
        while slots:
            has = [what == "open" or place < 2 for place in range(len(slots))]
            assert [slot.is_granted for slot in slots] == has
            queue.free(slots.pop(0))
        last = [queue.ask() for _ in range(3)]
        assert [slot.is_granted for slot in last] == [True, True, what == "open"]
        assert len(set(noticed)) == len(noticed)
        if not was_interrupted:
            assert place > 3
            return
    pytest.fail("it has no end")


def in_another_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no such timer")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, TimeoutError])
def test_an_interrupt_at_any_instruction_loses_no_slot(kind: type[BaseException]) -> None:
    """The main thread asks and frees 10,000 times, interrupted at random; others do, too."""
    queue, most, is_armed, is_over = SlotQueue(2), 2, False, threading.Event()
    interrupts = 0
    failures: list[BaseException] = []

    def handler(number: int, frame: object) -> None:
        if is_armed:
            raise kind

    def others() -> None:
        try:
            while not is_over.is_set():
                use(queue)
        except BaseException as error:
            failures.append(error)

    before = signal.signal(signal.SIGALRM, handler)
    threads = [threading.Thread(target=others, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        is_armed = True
        for number in range(10_000):
            try:
                if not number % 8:
                    signal.setitimer(signal.ITIMER_REAL, 0.000005 + number % 97 / 1_000_000)
                queue.free(queue.ask())
            except kind:
                interrupts += 1
    except kind:  # between two of them
        interrupts += 1
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        is_over.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert not failures
    assert interrupts
    gc.collect()
    slots = [queue.ask() for _ in range(most + 1)]
    assert [slot.is_granted for slot in slots] == [True, True, False]
    queue.free(slots[0])
    assert slots[2].is_granted


def use(queue: SlotQueue) -> None:
    """Wait for a slot as calls do: a notice ends the wait, and so does what needs no notice."""
    slot, noticed = queue.ask(), threading.Event()
    slot.notify(noticed.set)
    ends = time.monotonic() + 30
    while not slot.is_granted:
        assert time.monotonic() < ends, "it is never granted"
        noticed.wait(0.001)
        queue.grant_free_slots()
    queue.free(slot)


class Model(RuleBasedStateMachine):
    """The queue next to a list of those who asked, the first of which have a slot."""

    slots = Bundle("slots")

    @initialize(most=st.integers(1, 4) | st.none())
    def begin(self, most: int | None) -> None:
        gc.disable()
        self.queue = SlotQueue(most)
        self.most = most
        self.order: list[int] = []
        self.known: dict[int, Slot] = {}
        self.notices: dict[int, int] = {}

    def teardown(self) -> None:
        gc.enable()

    @rule(target=slots, notified=st.booleans())
    def ask(self, notified: bool) -> int:
        number = len(self.notices)
        self.order.append(number)
        self.known[number] = slot = self.queue.ask()
        self.notices[number] = 0
        if notified:
            slot.notify(lambda: self.notice(number))
        else:
            self.notices[number] = -1
        return number

    def notice(self, number: int) -> None:
        assert self.notices[number] == 0
        self.notices[number] += 1

    @rule(number=slots)
    def free(self, number: int) -> None:
        slot = self.known.get(number)
        if slot is not None:
            self.queue.free(slot)
            if number in self.order:
                self.order.remove(number)

    @rule(number=slots)
    def drop(self, number: int) -> None:
        self.known.pop(number, None)
        if number in self.order:
            self.order.remove(number)
        self.queue.grant_free_slots()

    @rule(data=st.data())
    def drop_unseen(self, data: st.DataObject) -> None:
        for number in data.draw(st.lists(st.sampled_from(sorted(self.known) or [0]), max_size=3)):
            self.known.pop(number, None)
            if number in self.order:
                self.order.remove(number)
        self.ask(notified=True)
        self.queue.free(self.known.pop(self.order.pop()))

    @rule()
    def open(self) -> None:
        self.most = None
        self.queue.open()

    @rule(target=slots)
    def nothing(self) -> Any:
        return multiple()

    @invariant()
    def the_first_have_a_slot(self) -> None:
        for place, number in enumerate(self.order):
            has = self.most is None or place < self.most
            assert self.known[number].is_granted is has
            assert self.notices[number] in (-1, int(has))


TestModel = Model.TestCase
