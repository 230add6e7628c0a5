"""The parts of the simulator that compute: tokens, vectors, names, durations, settings, JSON."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.simulator import catalog, embeddings, environment, go_json, tokens
from manager.simulator.exchange import ApiError, encode
from manager.simulator.go_values import FOREVER, parse_duration, timestamp
from manager.simulator.names import NameProblem, parse_name, parse_reference, pull_name
from manager.simulator.patterns import matching


class TestTokens:
    @given(st.text())
    def test_joined_again_they_are_the_text(self, text: str) -> None:
        assert "".join(tokens.split(text)) == text
        assert tokens.count(text) == len(tokens.split(text)) == len(tokens.identifiers(text))

    @given(st.text(), st.text(min_size=1))
    def test_no_stop_sequence_is_left(self, text: str, stop: str) -> None:
        cut = tokens.cut_at_stop(text, [stop])
        assert stop not in cut
        assert text.startswith(cut)

    def test_empty_stops_stop_nothing(self) -> None:
        assert tokens.cut_at_stop("abc", ["", "zzz"]) == "abc"


class TestEmbeddings:
    @given(st.text(max_size=200), st.integers(min_value=2, max_value=64))
    def test_every_text_has_a_vector_of_length_one(self, text: str, dimensions: int) -> None:
        vector = embeddings.embed(text, dimensions)
        assert len(vector) == dimensions
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)

    def test_what_is_alike_is_near(self) -> None:
        def likeness(first: str, second: str) -> float:
            pair = zip(embeddings.embed(first), embeddings.embed(second), strict=True)
            return sum(one * other for one, other in pair)

        query = "how do I delete a file"
        near = likeness(query, "To remove one of your files, delete it with rm")
        far = likeness(query, "The weather in Paris is sunny today")
        assert near > far + 0.2
        assert likeness(query, query) == pytest.approx(1, abs=1e-6)

    def test_a_zero_vector_stays_one(self) -> None:
        assert embeddings.normalized([0.0, 0.0]) == [0.0, 0.0]


class TestNames:
    @pytest.mark.parametrize(
        ("text", "short"),
        [
            ("llama3", "llama3:latest"),
            ("llama3:8b", "llama3:8b"),
            ("me/model", "me/model:latest"),
            ("registry.ollama.ai/library/x:y", "x:y"),
            ("localhost:5000/a/b:c", "localhost:5000/a/b:c"),
            ("http://host/a/b", "host/a/b:latest"),
        ],
    )
    def test_the_short_form(self, text: str, short: str) -> None:
        name = parse_name(text)
        assert name.is_valid
        assert name.short == short
        assert parse_name(name.full).key == name.key

    @pytest.mark.parametrize(
        "text", ["a b", "", ":", "a:", "/a", "a//b", "a/b/c/d", "-a", "a" * 81, "ä", "a@b", "a.b/c"]
    )
    def test_what_is_no_name(self, text: str) -> None:
        assert not parse_name(text).is_valid

    @pytest.mark.parametrize(
        ("text", "base", "source", "pulled"),
        [
            ("a", "a", "", "a:latest"),
            ("a:cloud", "a", "cloud", "a:cloud"),
            ("a:8b-cloud", "a:8b", "cloud", "a:8b-cloud"),
            ("a:8b:cloud", "a:8b", "cloud", "a:8b-cloud"),
            ("a:8b:LOCAL", "a:8b", "local", "a:8b"),
            ("my-cloud", "my-cloud", "", "my-cloud:latest"),
        ],
    )
    def test_the_source_at_the_end(self, text: str, base: str, source: str, pulled: str) -> None:
        reference = parse_reference(text)
        assert (reference.base, reference.source) == (base, source)
        assert pull_name(reference).short == pulled

    @pytest.mark.parametrize(
        ("text", "kind"), [(" ", "missing"), ("a:cloud:local", "conflicting"), ("a b", "invalid")]
    )
    def test_problems_have_a_kind(self, text: str, kind: str) -> None:
        with pytest.raises(NameProblem) as caught:
            parse_reference(text)
        assert caught.value.kind == kind


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), ("-1s", -1), ("0", 0), (".5h", 1800),
         ("2us", 2e-6), ("+3ms", 0.003)],
    )  # fmt: skip
    def test_what_go_reads(self, text: str, seconds: float) -> None:
        assert parse_duration(text) == pytest.approx(seconds)

    @pytest.mark.parametrize("text", ["", "5", "x", "5x", "-", "1h2", ".", "1 s"])
    def test_what_go_refuses(self, text: str) -> None:
        with pytest.raises(ValueError, match="time: "):
            parse_duration(text)

    @given(st.integers(min_value=0, max_value=9_000_000_000_000_000_000))
    def test_timestamps_can_be_read(self, nanoseconds: int) -> None:
        text = timestamp(nanoseconds)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", text)
        assert not re.search(r"\.\d*0Z$", text)
        assert abs(datetime.fromisoformat(text).timestamp() - nanoseconds / 1e9) < 1e-3


class TestEnvironment:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", ("127.0.0.1", 11434)),
            ("0.0.0.0", ("0.0.0.0", 11434)),
            ("127.0.0.1:5", ("127.0.0.1", 5)),
            (":5", ("", 5)),
            ("[::1]:5", ("::1", 5)),
            ("[::1]", ("::1", 11434)),
            ("::1", ("::1", 11434)),
            ("http://host", ("host", 80)),
            ("https://host:7/path", ("host", 7)),
            ("host:99999", ("host", 11434)),
            ("host:x", ("host", 11434)),
        ],
    )
    def test_the_host(self, text: str, expected: tuple[str, int]) -> None:
        assert environment.parse_host(text) == expected

    def test_nothing_set_is_the_default(self) -> None:
        assert environment.read({}) == environment.Settings()

    def test_what_cannot_be_read_is_the_default(self) -> None:
        wrong = {
            "OLLAMA_KEEP_ALIVE": "soon", "OLLAMA_MAX_QUEUE": "many",
            "OLLAMA_SIMULATOR_TOKEN_SECONDS": "-1", "OLLAMA_SIMULATOR_LOAD_SECONDS": "x",
        }  # fmt: skip
        assert environment.read(wrong) == environment.Settings()

    def test_what_is_set_holds(self) -> None:
        settings = environment.read(
            {
                "OLLAMA_HOST": "' 127.0.0.1:7 '", "OLLAMA_KEEP_ALIVE": "-1",
                "OLLAMA_LOAD_TIMEOUT": "0", "OLLAMA_NO_CLOUD": "yes",
                "OLLAMA_ORIGINS": "http://a, http://b", "OLLAMA_SIMULATOR_MODELS": "",
            }
        )  # fmt: skip
        assert settings.port == 7
        assert settings.keep_alive == settings.load_timeout == FOREVER
        assert settings.no_cloud
        assert settings.origins == ("http://a", "http://b")
        assert settings.models == ()


def refusal(body: bytes) -> int | None:
    """The status of the error that a body gets; None if it is read."""
    try:
        go_json.decode(body)
    except ApiError as error:
        return error.status if error.message else 0
    return None


class TestJson:
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text()
            | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        )
    )  # fmt: skip
    def test_what_is_json_is_read(self, value: object) -> None:
        assert go_json.decode(json.dumps(value).encode()) == value

    @given(st.binary())
    def test_anything_else_is_a_400(self, body: bytes) -> None:
        assert refusal(body) in (None, 400)

    @given(st.text(alphabet='{}[]",:0123.eE-+tfn \\u"ab'))
    def test_even_when_it_is_nearly_json(self, text: str) -> None:
        assert refusal(text.encode()) in (None, 400)

    @given(st.text(alphabet=st.characters(codec=None)))
    def test_every_text_can_be_sent(self, text: str) -> None:
        assert isinstance(json.loads(encode(text)), str)


class TestPatterns:
    @pytest.mark.parametrize(
        "pattern",
        [
            r"^\d{3}-\d{4}$", r"^[a-z]+@[a-z]+\.(com|org)$", r"[^a-z]{2,}", r"^(ab|cd)\1$",
            r"^\w+\s\S$", r"^.{5}$", r"x*?", r"^(?:GET|POST) /\S*$", r"[\w.-]+", r"^[^\W\d_]+$",
        ],
    )  # fmt: skip
    def test_a_text_that_matches_is_found(self, pattern: str) -> None:
        text = matching(pattern)
        assert text is not None
        assert re.search(pattern, text)

    def test_lengths_are_kept(self) -> None:
        text = matching(r"^[a-z]+$", 10, 12)
        assert text is not None
        assert 10 <= len(text) <= 12

    @pytest.mark.parametrize("pattern", ["(", r"^a$(?<=b)"])
    def test_what_cannot_be_matched(self, pattern: str) -> None:
        assert matching(pattern) is None


@pytest.mark.parametrize(
    ("count", "text"),
    [(7e9, "7B"), (1.5e9, "1.5B"), (115_776, "116K"), (14.36e6, "14.36M"), (9, "9")],
)
def test_counts_are_short(count: float, text: str) -> None:
    assert catalog.human_number(count) == text
