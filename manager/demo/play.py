"""Runs a demonstration, step by step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import attrs

from manager import OllamaManager
from manager.demo.stage import find_stage, remove_log
from manager.demo.steps import SETUP, STEPS, UNTIL_STOP, NotSupported, Scene
from manager.errors import OllamaManagerError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from manager import ManagerConfig
    from manager.demo.stage import Stage
    from manager.demo.steps import Step

__all__ = ["Audience", "DemoReport", "Outcome", "StepResult", "play"]

Outcome: TypeAlias = Literal["ok", "note", "failed"]


@attrs.frozen(kw_only=True)
class StepResult:
    """How one step went.

    Attributes:
        name: Which step.
        outcome: ``ok``; ``note``: the model cannot do that; ``failed``.
        seconds: How long it took.
        detail: What there is to say.
        facts: The same for machines, and more.
    """

    name: str
    outcome: Outcome
    seconds: float
    detail: str
    facts: dict[str, Any] = attrs.field(factory=dict[str, Any])

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready data."""
        return {**attrs.asdict(self), "seconds": round(self.seconds, 4)}


@attrs.frozen(kw_only=True)
class DemoReport:
    """How a demonstration went.

    Attributes:
        stage: What it happened on.
        seconds: How long it took.
        steps: What happened, in order.
    """

    stage: Stage
    seconds: float
    steps: tuple[StepResult, ...]

    @property
    def ok(self) -> bool:
        """Whether no step failed."""
        return not any(step.outcome == "failed" for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready data."""
        return {
            "ok": self.ok,
            "simulated": self.stage.simulated,
            "reason": self.stage.reason,
            "program": list(self.stage.program),
            "host": self.stage.config.server.host.base_url,
            "seconds": round(self.seconds, 4),
            "steps": [step.to_dict() for step in self.steps],
        }


class Audience(Protocol):
    """Who watches."""

    def looking(self) -> AbstractContextManager[object]:
        """A server is being looked for."""
        ...

    def opened(self, stage: Stage) -> None:
        """The server has been chosen."""
        ...

    def began(self, name: str) -> None:
        """A step begins."""
        ...

    def said(self, text: str) -> None:
        """The step goes on."""
        ...

    def ended(self, result: StepResult) -> None:
        """The step is over."""
        ...


def play(base: ManagerConfig, audience: Audience) -> DemoReport:
    """Show the main job, from start to stop, on a private port.

    Args:
        base: The user's configuration; says which program and models there are.
        audience: Hears of every step.

    Returns:
        How it went. Nothing that it started is left.
    """
    begun = time.perf_counter()
    with audience.looking():
        stage = find_stage(base)
    audience.opened(stage)
    results: list[StepResult] = []
    try:
        with OllamaManager(stage.config) as manager:
            scene = Scene(manager=manager, simulated=stage.simulated, say=audience.said)
            results += _perform_all(scene, audience)
    finally:
        if not any(result.outcome == "failed" for result in results):
            remove_log(stage.config)  # of a private port it is only of use after a failure
    return DemoReport(stage=stage, seconds=time.perf_counter() - begun, steps=tuple(results))


def _perform_all(scene: Scene, audience: Audience) -> list[StepResult]:
    results = [_perform(name, step, scene, audience) for name, step in SETUP]
    if all(result.outcome == "ok" for result in results):
        for name, step in STEPS:
            if name != "pull" or scene.simulated:  # a real one would take what is not ours to give
                results.append(_perform(name, step, scene, audience))
    results += [_perform(name, step, scene, audience) for name, step in UNTIL_STOP]
    return results


def _perform(name: str, step: Step, scene: Scene, audience: Audience) -> StepResult:
    audience.began(name)
    scene.facts = {}
    outcome: Outcome = "ok"
    started = time.perf_counter()
    try:
        detail = step(scene)
    except NotSupported as note:
        outcome, detail = "note", str(note)
    except OllamaManagerError as error:
        outcome, detail = "failed", f"{type(error).__name__}: {error}"
        scene.facts["error"] = error.to_dict()
    except Exception as error:
        outcome, detail = "failed", f"{type(error).__name__}: {error}"
    result = StepResult(
        name=name,
        outcome=outcome,
        seconds=time.perf_counter() - started,
        detail=detail,
        facts=scene.facts,
    )
    audience.ended(result)
    return result
