from __future__ import annotations

import copy
import json
import pickle

import pytest
from ollama_api.models import ChatResponse

import manager
from manager import errors
from manager.errors import OllamaManagerError, ServerUnavailableError, StreamInterruptedError

# class: parent, code, retryable, built-in that it also is
TABLE: dict[str, tuple[str, str, bool, type[Exception] | None]] = {
    "ConfigError": ("OllamaManagerError", "config_invalid", False, ValueError),
    "InvalidRequestError": ("OllamaManagerError", "invalid_request", False, ValueError),
    "ServerNotFoundError": ("OllamaManagerError", "server_not_found", False, None),
    "ServerNotOwnedError": ("OllamaManagerError", "server_not_owned", False, None),
    "ServerStartError": ("OllamaManagerError", "server_start_failed", False, None),
    "ServerCrashedError": ("OllamaManagerError", "server_crashed", False, None),
    "ServerUnavailableError": (
        "OllamaManagerError",
        "server_unavailable",
        True,
        ConnectionError,
    ),
    "RequestTimeoutError": ("OllamaManagerError", "timeout", True, TimeoutError),
    "APIError": ("OllamaManagerError", "api_error", False, None),
    "BadRequestError": ("APIError", "bad_request", False, None),
    "AuthenticationError": ("APIError", "unauthorized", False, None),
    "PermissionDeniedError": ("APIError", "forbidden", False, None),
    "ServerTooOldError": ("APIError", "server_too_old", False, None),
    "ModelNotFoundError": ("APIError", "model_not_found", False, None),
    "CapabilityError": ("APIError", "capability_missing", False, None),
    "ServerBusyError": ("APIError", "server_busy", True, None),
    "InternalServerError": ("APIError", "internal_server_error", False, None),
    "StreamInterruptedError": ("OllamaManagerError", "stream_interrupted", True, None),
    "ResponseDecodeError": ("OllamaManagerError", "response_invalid", False, None),
    "OutputParseError": ("OllamaManagerError", "output_invalid", False, None),
}


def error_class(name: str) -> type[OllamaManagerError]:
    cls: type[OllamaManagerError] = getattr(errors, name)
    return cls


def answer_so_far() -> ChatResponse:
    return ChatResponse.from_dict(
        {
            "model": "m",
            "created_at": "2026-01-01T00:00:00.123456789Z",
            "message": {"role": "assistant", "content": "half of"},
            "done": False,
        }
    )


def full_error(name: str) -> OllamaManagerError:
    return error_class(name)(
        "it broke",
        hint="mend it",
        code="special",
        retryable=True,
        status_code=418,
        model="m",
        endpoint="POST /api/chat",
        attempts=3,
        request_id="abc-1",
        partial=answer_so_far(),
        argument="prompt",
        log=["one", "two"],
    )


def test_the_table_is_complete() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, OllamaManagerError)
    }
    assert defined == {*TABLE, "OllamaManagerError"}
    assert set(errors.__all__) == defined
    for name in errors.__all__:
        assert getattr(manager, name) is getattr(errors, name)


@pytest.mark.parametrize("name", TABLE)
def test_class_parent_code_and_builtin(name: str) -> None:
    parent, code, retryable, builtin = TABLE[name]
    cls = error_class(name)
    assert issubclass(cls, error_class(parent))
    error = cls("what happened")
    assert (error.code, error.retryable) == (code, retryable)
    assert isinstance(error, builtin or Exception)
    for other in (ValueError, ConnectionError, TimeoutError):
        if other is not builtin:
            assert not isinstance(error, other)


def test_codes_are_unique() -> None:
    codes = [entry[1] for entry in TABLE.values()]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("name", TABLE)
def test_only_the_message(name: str) -> None:
    error = error_class(name)("what happened")
    assert str(error) == error.message == "what happened"
    assert error.hint is None
    assert error.status_code is error.model is error.endpoint is None
    assert error.attempts is error.request_id is error.partial is None
    assert error.to_dict() == {
        "error": name,
        "code": TABLE[name][1],
        "message": "what happened",
        "hint": None,
        "retryable": TABLE[name][2],
        "status_code": None,
        "model": None,
        "endpoint": None,
        "attempts": None,
        "request_id": None,
        "partial": None,
    }


def test_the_text_has_the_hint() -> None:
    assert str(OllamaManagerError("it broke", hint="mend it")) == "it broke (mend it)"


@pytest.mark.parametrize("name", TABLE)
def test_to_dict_is_json_and_complete(name: str) -> None:
    data = full_error(name).to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["error"] == name
    assert data["partial"]["message"]["content"] == "half of"
    assert data["argument"] == "prompt"
    assert data["log"] == ["one", "two"]
    assert {
        "code",
        "message",
        "hint",
        "retryable",
        "status_code",
        "model",
        "endpoint",
        "attempts",
        "request_id",
    } <= data.keys()


def test_details_are_attributes() -> None:
    error = errors.InvalidRequestError("bad", argument="prompt")
    assert error.argument == "prompt"
    with pytest.raises(AttributeError, match="'InvalidRequestError' object has no attribute 'no'"):
        error.no  # noqa: B018
    assert not hasattr(error, "no")


@pytest.mark.parametrize("name", [*TABLE, "OllamaManagerError"])
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(name: str, protocol: int) -> None:
    error = full_error(name)
    other = pickle.loads(pickle.dumps(error, protocol))
    assert type(other) is type(error)
    assert other.to_dict() == error.to_dict()
    assert str(other) == str(error)
    assert other.args == error.args
    assert other.argument == "prompt"


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_copy(name: str, copier: object) -> None:
    error = full_error(name)
    other = copier(error)  # type: ignore[operator]
    assert other is not error
    assert type(other) is type(error)
    assert other.to_dict() == error.to_dict()


def test_cause_and_notes_are_kept_where_python_keeps_them() -> None:
    error = ServerUnavailableError("gone")
    error.add_note("while testing")
    with pytest.raises(ServerUnavailableError) as caught:
        raise error from OSError("deeper")
    assert isinstance(caught.value.__cause__, OSError)
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while testing"]


def test_an_error_can_be_changed_before_it_is_raised() -> None:
    error = StreamInterruptedError("cut")
    error.partial = answer_so_far()
    error.hint = "again"
    assert error.to_dict()["partial"]["model"] == "m"
    assert str(error) == "cut (again)"


def test_a_copy_has_notes_and_details_of_its_own() -> None:
    error = full_error("APIError")
    error.add_note("first")
    other = copy.copy(error)
    other.add_note("second")
    other.details["more"] = 1
    assert error.__notes__ == ["first"]
    assert other.__notes__ == ["first", "second"]
    assert "more" not in error.details
