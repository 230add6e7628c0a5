from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CapabilityError,
    InternalServerError,
    ModelNotFoundError,
    PermissionDeniedError,
    ServerBusyError,
)
from manager.failures import error_from_line, error_from_status
from manager.timeouts import ResolvedTimeouts

if TYPE_CHECKING:
    from manager.errors import (
        OllamaManagerError,
    )

LIMITS = ResolvedTimeouts(connect=2, first_token=300, chunk=60, total=None)
CONTEXT: dict[str, Any] = {"model": "m", "endpoint": "POST /api/chat", "request_id": "x-1"}


def ollama(message: str) -> bytes:
    return json.dumps({"error": message}).encode()


def from_status(status: int, body: bytes, **headers: str) -> OllamaManagerError:
    return error_from_status(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, body, **CONTEXT
    )


@pytest.mark.parametrize(
    ("status", "message", "cls", "retryable"),
    [
        (400, "invalid model name", BadRequestError, False),
        (400, '"x" does not support tools', CapabilityError, False),
        (400, '"x" does not support thinking', CapabilityError, False),
        (401, "unauthorized", AuthenticationError, False),
        (403, "this model requires a subscription", PermissionDeniedError, False),
        (404, "model 'm' not found", ModelNotFoundError, False),
        (408, "slow", APIError, True),
        (409, "conflict", APIError, False),
        (429, "too many requests", ServerBusyError, True),
        (499, "client closed request", APIError, False),
        (500, 'option "temperature" must be of type float32', InternalServerError, False),
        (500, "llama runner process has terminated: exit status 2", InternalServerError, True),
        (500, "an error was encountered while running the model: EOF", InternalServerError, True),
        (
            500,
            "model runner has unexpectedly stopped, this may be due to resource limitations",
            InternalServerError,
            True,
        ),
        (501, "this model does not support embeddings", CapabilityError, False),
        (501, "not built in", CapabilityError, False),
        (502, "bad gateway", InternalServerError, True),
        (
            503,
            "server busy, please try again.  maximum pending requests exceeded",
            ServerBusyError,
            True,
        ),
        (504, "timeout", InternalServerError, True),
        (599, "odd", InternalServerError, False),
    ],
)
def test_status_in_ollamas_form(
    status: int, message: str, cls: type[APIError], retryable: bool
) -> None:
    error = from_status(status, ollama(message))
    assert type(error) is cls
    assert error.message == message
    assert error.retryable is retryable
    assert error.status_code == status
    assert (error.model, error.endpoint, error.request_id) == ("m", "POST /api/chat", "x-1")


def test_404_without_a_model_is_no_missing_model() -> None:
    error = error_from_status(404, {}, ollama("not here"), endpoint="GET /api/x")
    assert type(error) is APIError
    assert error.code == "endpoint_not_found"


@pytest.mark.parametrize("status", [404, 405])
def test_plain_text_404_is_another_server(status: int) -> None:
    error = from_status(status, b"404 page not found")
    assert type(error) is APIError
    assert error.code == "endpoint_not_found"
    assert error.message == "404 page not found"
    assert error.hint is not None
    assert "host" in error.hint


def test_the_form_of_openai() -> None:
    body = b'{"error":{"message":"model overloaded","type":"server_error","code":503}}'
    error = from_status(503, body)
    assert type(error) is ServerBusyError
    assert error.message == "model overloaded"


# What Ollama 0.24.0 and 0.33.0-rc2 answered.
TOO_LONG = (
    "request (2019 tokens) exceeds the available context size (256 tokens), try increasing it"
)
RUNNERS_CONTEXT = (
    f'{{"error":{{"code":400,"message":"{TOO_LONG}","type":"exceed_context_size_error",'
    '"n_prompt_tokens":2019,"n_ctx":256}}'
)
RUNNERS_FORMAT = (
    '{"error":{"code":400,"message":"Unable to generate parser for this template. Automatic '
    "parser generation failed: JSON schema conversion failed:\\nUnrecognized schema: "
    '{\\"type\\":\\"nonsense\\"}","type":"invalid_request_error"}}'
)
RUNNERS_IMAGE = (
    '{"error":{"code":500,"message":"image input is not supported - hint: if this is unexpected, '
    'you may need to provide the mmproj","type":"server_error"}}'
)
NO_MANIFEST = "open /x/models/manifests/registry.ollama.ai/a/b/latest: no such file or directory"
NO_MANIFEST_ON_WINDOWS = (
    r"open C:\models\manifests\registry.ollama.ai\a\b\latest: "
    "The system cannot find the path specified."
)


def test_what_a_runner_says_is_dug_out() -> None:
    error = from_status(400, ollama(RUNNERS_FORMAT))
    assert type(error) is BadRequestError
    assert error.code == "bad_request"
    assert error.message.startswith("Unable to generate parser for this template.")
    assert error.message.endswith('Unrecognized schema: {"type":"nonsense"}')
    assert error.raw == RUNNERS_FORMAT
    assert "raw" not in from_status(400, ollama("plain words")).details


@pytest.mark.parametrize(
    ("text", "message", "raw"),
    [
        (
            RUNNERS_CONTEXT,
            TOO_LONG,
            RUNNERS_CONTEXT,
        ),
        (
            "the input length exceeds the context length",
            "the input length exceeds the context length",
            None,
        ),
    ],
    ids=["0.33", "0.24"],
)
def test_a_prompt_that_is_too_long(text: str, message: str, raw: str | None) -> None:
    for error in (
        from_status(400, ollama(text)),
        error_from_line({"error": text}, attempts=1, **CONTEXT),
    ):
        assert type(error) is BadRequestError
        assert error.code == "context_size_exceeded"
        assert error.message == message
        assert error.details.get("raw") == raw
        assert error.hint is not None
        assert "num_ctx" in error.hint
        assert not error.retryable


def test_the_type_of_a_runners_error_counts_whatever_its_words() -> None:
    text = RUNNERS_CONTEXT.replace(TOO_LONG, "no room")
    error = from_status(400, ollama(text))
    assert (type(error), error.code) == (BadRequestError, "context_size_exceeded")
    assert error.message == "no room"


def test_a_model_that_cannot_see() -> None:
    error = from_status(500, ollama(RUNNERS_IMAGE))
    assert type(error) is CapabilityError
    assert error.message.startswith("image input is not supported")
    assert error.raw == RUNNERS_IMAGE


@pytest.mark.parametrize("text", [NO_MANIFEST, NO_MANIFEST_ON_WINDOWS], ids=["unix", "windows"])
def test_a_push_of_a_model_that_is_not_there(text: str) -> None:
    context = {**CONTEXT, "model": "nosuch/thing", "endpoint": "POST /api/push"}
    for error in (
        error_from_status(500, {}, ollama(text), **context),
        error_from_line({"error": text}, attempts=1, **context),
    ):
        assert type(error) is ModelNotFoundError
        assert error.code == "model_not_found"
        assert error.message == "the server does not have nosuch/thing"
        assert error.hint is not None
        assert "list_models()" in error.hint
        assert error.raw == text
        assert not error.retryable


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"error":{}}', '{"error":{"message":7}}', '{"error":""}', "{" * 100_000],
    ids=lambda text: text[:30],
)
def test_text_that_only_looks_like_a_runners(text: str) -> None:
    error = from_status(500, ollama(text))
    assert type(error) is InternalServerError
    assert error.message == text[:500]
    assert "raw" not in error.details


def test_raw_text_is_cut() -> None:
    error = from_status(500, ollama(json.dumps({"error": {"message": "x" * 100_000}})))
    assert error.message == "x" * 500
    assert len(error.raw) == 2000


def test_a_proxys_page() -> None:
    page = b"<html>\r\n<head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>"
    error = from_status(502, page)
    assert type(error) is InternalServerError
    assert error.message == "502 Bad Gateway"
    assert error.retryable


def test_a_page_without_title_loses_its_tags() -> None:
    error = from_status(500, b"<!doctype html><h1>Oops</h1><p>sorry</p>")
    assert error.message == "Oops sorry"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"{}",
        b"[]",
        b"{",
        b'{"error":null}',
        b'{"error":{}}',
        b'{"error":[1]}',
        b'{"error":""}',
        b"\xff\xfe\xfa",
        b"[" * 100_000,
        b"<" * 1000,
    ],
)
def test_a_body_that_says_nothing_still_makes_an_error(body: bytes) -> None:
    error = from_status(500, body)
    assert type(error) is InternalServerError
    assert error.message
    assert len(error.message) <= 500
    json.dumps(error.to_dict())


def test_invalid_utf8_in_text() -> None:
    assert "caf\ufffd" in from_status(500, b"caf\xe9 closed").message


def test_long_messages_are_cut() -> None:
    assert len(from_status(400, ollama("x" * 100_000)).message) == 500
    assert len(from_status(400, b"y " * 100_000).message) == 500


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("86400", 86_400.0),
        ("9999999", 86_400.0),
        ("9" * 5000, 86_400.0),
        ("nan", None),
        ("inf", None),
        ("-3", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after(value: str, expected: float | None) -> None:
    error = from_status(503, b"", retry_after=value)
    assert error.details.get("retry_after") == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
        ("Sat, 31 Dec 2050 23:00:00 GMT", 86_400.0),
        ("Fri, 31 Dec 1999 23:59:59 -0000", 59.0),
        ("Fri, 99 Dec 1999 23:59:59 GMT", None),
    ],
)
def test_retry_after_may_be_a_date(date: str, expected: float | None) -> None:
    error = from_status(503, b"", retry_after=date, date="Fri, 31 Dec 1999 23:59:00 GMT")
    assert error.details.get("retry_after") == expected


def test_a_date_without_another_is_compared_with_the_clock() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    for date in ({}, {"date": "nonsense"}):
        assert 60 < from_status(503, b"", retry_after=soon, **date).retry_after <= 100


def test_a_redirect_is_shown_without_its_secrets() -> None:
    error = from_status(307, b"", location="https://me:s3cret@elsewhere:8/api?token=s3cret#s3cret")
    assert "https://***@elsewhere:8/api," in error.message
    assert "s3cret" not in str(error.to_dict())


def test_the_url_to_sign_in_is_kept() -> None:
    body = b'{"error":"unauthorized","signin_url":"https://ollama.com/connect?x"}'
    error = from_status(401, body)
    assert type(error) is AuthenticationError
    assert error.signin_url == "https://ollama.com/connect?x"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_redirects_are_errors(status: int) -> None:
    error = from_status(status, b"<a href='x'>Moved</a>", location="https://elsewhere/api/chat")
    assert type(error) is APIError
    assert error.code == "redirected"
    assert not error.retryable
    assert "https://elsewhere/api/chat" in error.message


@given(
    st.integers(300, 999),
    st.binary(max_size=200) | st.from_regex(rb'\{"error": ?.{0,20}\}', fullmatch=True),
)
def test_any_answer_makes_an_api_error(status: int, body: bytes) -> None:
    error = from_status(status, body)
    assert isinstance(error, APIError)
    assert error.message
    assert error.status_code == status
    json.dumps(error.to_dict())


@pytest.mark.parametrize(
    ("line", "cls", "text"),
    [
        (
            {"error": "pull model manifest: file does not exist"},
            ModelNotFoundError,
            "does not exist",
        ),
        ({"error": "model 'x' not found"}, ModelNotFoundError, "not found"),
        ({"error": "x does not support tools"}, CapabilityError, "tools"),
        ({"error": "Unauthorized"}, AuthenticationError, "Unauthorized"),
        ({"error": "no space left on device"}, APIError, "no space left"),
        ({"error": {"message": "deeper"}}, APIError, "deeper"),
        ({"error": 7}, APIError, "without saying"),
        ({"error": ""}, APIError, "without saying"),
    ],
)
def test_error_lines(line: dict[str, Any], cls: type[APIError], text: str) -> None:
    error = error_from_line(line, attempts=1, **CONTEXT)
    assert type(error) is cls
    assert text in error.message
    assert error.attempts == 1


@pytest.mark.parametrize(
    ("message", "retryable"),
    [
        ("model runner has unexpectedly stopped", True),
        ("llama runner process has terminated: signal: killed", True),
        ("unexpected EOF", True),
        ("dial tcp 1.2.3.4:443: i/o timeout", True),
        ("max retries exceeded: TLS handshake timeout", True),
        ("max retries exceeded: unauthorized", False),
        ("max retries exceeded: no space left on device", False),
        ("file does not exist", False),
        ("it hurts", False),
    ],
)
def test_which_error_lines_may_pass(message: str, retryable: bool) -> None:
    assert error_from_line({"error": message}, **CONTEXT).retryable is retryable


def test_only_a_full_queue_of_ollama_is_mended_by_its_settings() -> None:
    full = b'{"error":"server busy, please try again.  maximum pending requests exceeded"}'
    other = b'{"error":"rate limit exceeded"}'
    assert "max_queue" in str(error_from_status(503, {}, full).hint)
    assert "max_queue" not in str(error_from_status(429, {}, other).hint)
