from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from manager.supervisor.agreement import changed, disputed, is_news, merged
from manager.supervisor.settings import ServerSettings


def settings(env: dict[str, str], **values: Any) -> ServerSettings:
    return ServerSettings(env=env, **values)


RUNNING = {"PATH": "/bin", "A": "1", "B": "2"}


def test_what_differs_or_is_not_asked_for_any_more() -> None:
    def names(env: dict[str, str], before: dict[str, str] | None = None) -> list[str]:
        earlier = None if before is None else settings(before)
        return changed(("x",), RUNNING, settings(env), ("x",), earlier)

    assert names({"A": "1"}) == []
    assert names({"A": "9", "C": "3"}) == ["A", "C"]
    assert names({}) == [], "who asks for nothing takes what is there"
    assert names({}, {"A": "1", "C": "3"}) == ["A"], "it has given A up; C does not run"
    assert names({"B": "3"}, {"A": "1"}) == ["A", "B"]


def test_another_program() -> None:
    asked = settings({}, binary=("y",))
    assert changed(("x",), {}, asked, ("y",)) == ["binary"]
    assert changed(("y",), {}, asked, ("y",)) == []
    assert changed(("y",), {}, settings({}), ("x",), asked) == ["binary"]
    assert changed(("y",), {}, settings({}), (), asked) == [], "there is no other one"


def test_what_others_insist_on() -> None:
    asked = settings({"A": "2", "B": "2"}, file="/f", filed=("A",))
    same = settings({"A": "1"}, file="/f", filed=("A",))
    by_keyword = settings({"A": "1"}, file="/f", filed=())
    elsewhere = settings({"A": "1"}, file="/g", filed=("A",))
    agrees = settings({"A": "2"})
    assert disputed(["A", "B"], asked, [same, agrees, settings({})]) == []
    assert disputed(["A", "B"], asked, [same, by_keyword]) == ["A"]
    assert disputed(["A"], asked, [elsewhere]) == ["A"]
    assert disputed(["binary"], asked, [settings({}, binary=("x",))]) == ["binary"]


def test_a_newcomer_with_a_newer_file() -> None:
    def news(**values: Any) -> bool:
        newcomer = settings({"A": "2"}, **{"file": "/f", "filed": ("A",), "read_at": 2.0} | values)
        return is_news(["A"], newcomer, [settings({"A": "1"}, file="/f", read_at=1.0)])

    assert news()
    assert not news(read_at=0.5), "the others know better"
    assert not news(filed=()), "it insists on it"
    assert not news(file="/g")
    assert not news(file=None)


environments = st.dictionaries(st.sampled_from("ABCD"), st.sampled_from("12"))


@given(environments, environments, environments)
def test_what_is_started_next_has_the_changes_and_nothing_else(
    running: dict[str, str], before: dict[str, str], wanted: dict[str, str]
) -> None:
    ran = settings({**running, **before})  # whoever holds a lease has what it asked for
    names = changed((), ran.env, settings(wanted), (), settings(before))
    result = merged(ran, settings(wanted, drain_timeout=7.0), names)
    assert result.env.items() >= wanted.items()
    assert not (before.keys() - wanted.keys()) & result.env.keys()
    untouched = running.keys() - before.keys() - wanted.keys()
    assert {k: result.env[k] for k in untouched} == {k: running[k] for k in untouched}
    assert result.drain_timeout == 7
    assert changed((), result.env, settings(wanted), (), settings(wanted)) == []
