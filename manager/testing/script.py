"""What a test has asked of the server, and what has been asked of it: directs the simulator."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from manager.simulator.direction import Plan
from manager.simulator.exchange import ApiError
from manager.simulator.routes import MODEL_PATHS
from manager.testing.plans import plan_of
from manager.testing.requests import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manager.simulator.direction import Scripted, Told
    from manager.testing.faults import Fault
    from manager.testing.replies import Filter, Rule
    from manager.testing.requests import RecordedRequest


class _Pending:
    """A fault that waits for its requests."""

    def __init__(self, fault: Fault, fits: Filter) -> None:
        self.plan = plan_of(fault)
        self.fits = fits
        self.left = fault.times


class Script:
    """Rules, faults and the record. One condition guards them all."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rules: list[Rule] = []
        self._faults: list[_Pending] = []
        self._requests: list[RecordedRequest] = []
        self._errors: list[Exception] = []

    def add_rule(self, rule: Rule) -> None:
        with self._changed:
            self._rules.append(rule)

    def add_faults(self, faults: Sequence[Fault], fits: Filter) -> None:
        pending = [_Pending(fault, fits) for fault in faults]
        with self._changed:
            self._faults += pending

    def reset(self) -> None:
        """Forget everything."""
        with self._changed:
            for kept in (self._rules, self._faults, self._requests, self._errors):
                kept.clear()

    @property
    def requests(self) -> list[RecordedRequest]:
        with self._changed:
            return list(self._requests)

    @property
    def errors(self) -> list[Exception]:
        """What functions that make answers have raised."""
        with self._changed:
            return list(self._errors)

    def wait(self, fits: Filter, count: int, timeout: float) -> list[RecordedRequest]:
        """Wait for requests.

        Raises:
            TimeoutError: Fewer than ``count`` came within ``timeout`` seconds.
        """
        due = time.monotonic() + timeout
        with self._changed:
            while len(found := [each for each in self._requests if fits(each)]) < count:
                left = due - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{len(found)} of {count} requests came in {timeout:g} s")
                self._changed.wait(left)
            return found

    def direct(self, told: Told) -> Plan:
        """Decide what becomes of a request, and keep a record of it."""
        request = recorded(told)
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()
            plan = self._next_fault(request)
        has_no_answer = plan.ending and not plan.after
        if has_no_answer or request.path not in MODEL_PATHS or not request.prompt:
            # Whoever asks again gets the reply that this request would have had.
            return plan
        return plan._replace(scripted=self._reply(request))

    def _next_fault(self, request: RecordedRequest) -> Plan:
        for pending in self._faults:
            if pending.fits(request):
                if pending.left is not None:
                    pending.left -= 1
                    if not pending.left:
                        self._faults.remove(pending)
                return pending.plan
        return Plan()

    def _reply(self, request: RecordedRequest) -> Scripted | None:
        with self._changed:
            rules = list(reversed(self._rules))
        try:
            replies = (rule.reply_to(request) for rule in rules)
            return next((reply for reply in replies if reply is not None), None)
        except Exception as error:
            with self._changed:
                self._errors.append(error)
            raise ApiError(500, f"the function that makes the answer raised {error!r}") from error
