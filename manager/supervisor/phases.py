"""What the machine waits for, and what it asks of the world.

| phase    | shown as             | what happens next                                            |
|----------|----------------------|--------------------------------------------------------------|
| idle     | stopped              | start -> checking                                            |
| checking | starting, restarting | free -> booting; Ollama there -> foreign; other -> failed    |
| booting  | starting, restarting | answer -> up; exit -> clearing; time over, or an answer that |
|          |                      | is not Ollama's for 2 s -> killing                           |
| up       | ready, unresponsive  | exit -> clearing; stop, restart -> draining; hang -> killing |
| draining | stopping, restarting | no requests in flight, or time over -> ending                |
| ending   | stopping, restarting | exit -> clearing; time over -> killing                       |
| killing  | as before            | exit -> clearing                                             |
| clearing | as before            | runners gone -> checking, waiting, failed or idle            |
| clearing | restarting           | other settings did not do -> checking, with those of before  |
| waiting  | starting, restarting | time over -> checking (also after an exit for a taken port)  |
| failed   | failed               | explicit start -> checking                                   |
"""

from __future__ import annotations

from enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from manager.supervisor.states import Snapshot

    class Effects(Protocol):
        """What the machine asks of the world; each answer comes back as an event."""

        def check_port(self) -> None: ...
        def spawn(self) -> int: ...
        def await_answer(self) -> None: ...
        def check_alive(self, timeout: float) -> None: ...
        def ask_in_flight(self) -> None: ...
        def terminate(self) -> None: ...
        def kill(self) -> None: ...
        def clear(self) -> None: ...
        def published(self, snapshot: Snapshot) -> None: ...
        def foreign(self) -> None: ...
        def rolled_back(self, error: Mapping[str, Any]) -> None: ...


__all__ = ["Effects", "Phase"]


class Phase(StrEnum):
    """What the machine waits for; finer than the state that is shown."""

    IDLE = "idle"
    CHECKING = "checking"
    BOOTING = "booting"
    UP = "up"
    DRAINING = "draining"
    ENDING = "ending"
    KILLING = "killing"
    CLEARING = "clearing"
    WAITING = "waiting"
    FAILED = "failed"


if not TYPE_CHECKING:
    Effects = object  # a protocol: only type checkers look at it
