"""What a person sees: bars, remarks, thoughts, the demonstration; and never a script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from manager.cli import demo
from manager.config import ManagerConfig
from manager.demo.play import DemoReport, StepResult
from manager.demo.stage import Stage
from manager.simulator import SimulatedServer

from ..ports import free_port
from .cli_testing import Shell, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytest.importorskip("pty")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def person(tmp_path: Path) -> Shell:
    """Somebody at a terminal of 80 columns."""
    return Shell(clean_environment(tmp_path))


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatedServer]:
    """A server that no manager started."""
    with SimulatedServer(port=free_port(), pull_seconds=0.05) as running:
        yield running


@pytest.fixture
def at_server(person: Shell, server: SimulatedServer) -> Shell:
    """The same, where a server is."""
    person.env["OLLAMA_HOST"] = server.host
    return person


def plain(screen: str) -> str:
    return _ESCAPES.sub("", screen)


def test_a_pull_has_a_bar_for_each_layer(at_server: Shell) -> None:
    done = at_server.on_a_terminal("pull", "bars:1b")
    assert done.code == 0
    seen = plain(done.out)
    assert "━" in seen
    assert seen.count("pulling manifest") == 1
    assert re.search(r"pulled bars:1b, [\d.]+ [kMG]B in ", seen)
    # of what is there already, nothing is received
    again = plain(at_server.on_a_terminal("pull", "bars:1b").out)
    assert re.search(r"pulled bars:1b in ", again)


def test_thoughts_are_shown_to_a_person_alone(at_server: Shell) -> None:
    words = ("chat", "simulated", "hi", "--think")
    done = at_server.on_a_terminal(*words, NO_COLOR="1")
    assert done.code == 0
    thought, _, answer = plain(done.out).partition("\n\n")
    assert "(simulated thinking)" in thought
    assert "You said: hi" in answer
    assert "(simulated thinking)" not in at_server.run(*words).out
    whole = at_server.on_a_terminal(*words, "--no-stream", NO_COLOR="1")
    assert plain(whole.out).split()[-20:] == plain(done.out).split()[-20:]


def test_texts_are_asked_for(at_server: Shell) -> None:
    done = at_server.on_a_terminal("embed", "simulated-embed", typed="one\ntwo\n", NO_COLOR="1")
    assert done.code == 0
    assert "one text a line; Ctrl-D ends" in done.out
    rows = [line.split()[0] for line in done.out.splitlines() if " 384 " in line]
    assert rows == ["one", "two"]


class TestNoModels:
    @pytest.fixture
    def at_empty(self, person: Shell) -> Iterator[Shell]:
        with SimulatedServer(port=free_port(), models=[]) as running:
            person.env["OLLAMA_HOST"] = running.host
            yield person

    def test_how_to_get_one(self, at_empty: Shell) -> None:
        assert "ollama-manager pull" in at_empty.on_a_terminal("list").out
        assert at_empty.run("list") == (0, "", "")
        assert at_empty.run("list", "--json").json == []


class TestConversation:
    def test_a_turn_knows_those_before_it_until_they_are_forgotten(self, at_server: Shell) -> None:
        done = at_server.on_a_terminal(
            "chat", "simulated", "--no-think", typed="one\n/clear\n\ntwo\n/bye\n", NO_COLOR="1"
        )
        assert done.code == 0
        assert "simulated: /bye or Ctrl-D leaves" in done.out
        assert "You said: one" in done.out
        assert "forgotten" in done.out
        assert "You said: two" in done.out

    def test_a_failed_turn_ends_nothing(self, at_server: Shell) -> None:
        words = ("chat", "simulated", "--format", '{"type": "strange"}', "-o", "num_predict=1")
        done = at_server.on_a_terminal(*words, typed="one\ntwo\n", NO_COLOR="1")
        assert done.out.count("error: ") == 2
        assert done.code == 0

    def test_a_model_that_has_gone_ends_it(
        self, at_server: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_server.run("pull", "going:1b")
        import manager

        ensure = manager.OllamaManager.ensure_model

        def ensured(m: Any, model: str, **options: Any) -> Any:
            answer = ensure(m, model, **options)
            m.delete_model(model)
            return answer

        monkeypatch.setattr(manager.OllamaManager, "ensure_model", ensured)
        done = at_server.on_a_terminal("chat", "going:1b", typed="hi\n", NO_COLOR="1")
        assert done.code == 4
        assert "ollama-manager pull going:1b" in done.out


class TestDemo:
    """How it looks, whatever happens; tests/cli/test_demo.py has what does happen."""

    STEPS = (
        StepResult(name="start", outcome="ok", seconds=0.5, detail="it runs"),
        StepResult(name="embed", outcome="note", seconds=0.1, detail="it has no embeddings"),
    )
    FAILURE = StepResult(name="chat", outcome="failed", seconds=1, detail="it said nothing")

    @pytest.fixture(params=[False, True], ids=["real", "simulated"])
    def stage(self, request: pytest.FixtureRequest) -> Stage:
        return Stage(
            config=ManagerConfig(), simulated=request.param, reason="for a reason", program=("x",)
        )

    def play(self, patch: pytest.MonkeyPatch, stage: Stage, *steps: StepResult) -> None:
        """Have these steps played, each with something to say."""

        def play(_base: object, audience: Any) -> DemoReport:
            with audience.looking():
                pass
            audience.opened(stage)
            for step in steps:
                audience.began(step.name)
                audience.said(f"working at {step.name}")
                audience.ended(step)
            return DemoReport(stage=stage, seconds=1.6, steps=steps)

        patch.setattr(demo, "play", play)

    def test_what_this_model_cannot_do(
        self, person: Shell, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.play(monkeypatch, stage, *self.STEPS)
        done = person.on_a_terminal("demo")
        seen = plain(done.out)
        assert done.code == 0
        assert ("A SIMULATED OLLAMA" if stage.simulated else "A real Ollama") in seen
        assert "for a reason" in seen
        assert re.search("✓ +start +500 ms +it runs", seen)
        assert re.search("– +embed +100 ms +it has no embeddings", seen)
        assert "All of it worked but embed, which this model cannot do, in 1.60 s." in seen
        assert "working at embed" in seen

    def test_a_failure(self, person: Shell, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.play(monkeypatch, stage, *self.STEPS, self.FAILURE)
        done = person.run("demo", "--no-color")
        assert done.code == 1
        assert re.search("✗ +chat +1.00 s +it said nothing", done.out)
        assert done.out.splitlines()[-1] == "failed: chat"
        assert "working" not in done.out
        assert person.run("demo", "--json").json["ok"] is False
