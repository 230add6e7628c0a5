"""What a fault means for the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manager.simulator.direction import Plan
from manager.testing.faults import (
    Busy,
    Combined,
    Crash,
    CutConnection,
    ErrorResponse,
    Hang,
    Latency,
    StreamError,
)

if TYPE_CHECKING:
    from manager.testing.faults import (
        Fault,
    )

_BUSY = "server busy, please try again.  maximum pending requests exceeded"


def plan_of(fault: Fault) -> Plan:
    """The plan that a fault is.

    Raises:
        TypeError: It is no fault of `manager.testing.faults`.
    """
    match fault:
        case Combined(faults):
            plan = Plan()
            for part in faults:
                plan = _joined(plan, plan_of(part))
            return plan
        case Latency(seconds, per_token):
            return Plan(delay=seconds, pause=per_token)
        case Busy():
            return Plan(ending="error", status=503, message=_BUSY)
        case ErrorResponse(status, message):
            return Plan(ending="error", status=status, message=message)
        case StreamError(after, message):
            return Plan(ending="error", after=after, message=message)
        case CutConnection(after):
            return Plan(ending="cut", after=after)
        case Hang(after):
            return Plan(ending="hang", after=after)
        case Crash(after):
            return Plan(ending="crash", after=after)
        case _:
            raise TypeError(f"{fault!r} is no fault; see manager.testing.faults")


def _joined(first: Plan, second: Plan) -> Plan:
    ending = second if second.ending else first
    return ending._replace(delay=first.delay + second.delay, pause=first.pause + second.pause)
