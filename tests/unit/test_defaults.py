from __future__ import annotations

import pytest
from ollama_api.models import ChatRequest, EmbedRequest

from manager.config import DefaultsConfig, ModelDefaults
from manager.defaults import apply_defaults
from manager.errors import OllamaManagerError

DEFAULTS = ModelDefaults(keep_alive="5m", think=True, options={"temperature": 0.5, "num_ctx": 512})


def chat_request(**fields: object) -> ChatRequest:
    return ChatRequest.from_dict({"model": "m", "messages": [], **fields})


def test_what_is_left_open_is_filled_in() -> None:
    request = apply_defaults(chat_request(), DEFAULTS)
    assert request.keep_alive == "5m"
    assert request.think is True
    assert request.options == {"temperature": 0.5, "num_ctx": 512}


def test_what_the_call_says_wins_option_by_option() -> None:
    request = chat_request(keep_alive=0, think=False, options={"temperature": 0, "seed": 1})
    apply_defaults(request, DEFAULTS)
    assert request.keep_alive == 0
    assert request.think is False
    assert request.options == {"temperature": 0, "num_ctx": 512, "seed": 1}


def test_a_request_without_think() -> None:
    request = apply_defaults(EmbedRequest(model="m", input="x"), DEFAULTS)
    assert request.to_dict() == {
        "model": "m",
        "input": "x",
        "keep_alive": "5m",
        "options": {"temperature": 0.5, "num_ctx": 512},
    }


def test_no_defaults_change_nothing() -> None:
    before = chat_request().to_dict()
    assert apply_defaults(chat_request(), ModelDefaults()).to_dict() == before


def test_the_configuration_is_not_changed_by_requests() -> None:
    first = apply_defaults(chat_request(), DEFAULTS)
    assert isinstance(first.options, dict)
    first.options["temperature"] = 2
    assert DEFAULTS.options["temperature"] == 0.5


def test_a_models_own_defaults_win_over_those_of_all() -> None:
    config = DefaultsConfig(
        keep_alive=1,
        options={"temperature": 0.1, "seed": 3},
        models={"m": ModelDefaults(keep_alive=2, options={"temperature": 0.9})},
    )
    own = apply_defaults(chat_request(), config.for_model("m:latest"))
    assert own.keep_alive == 2
    assert own.options == {"temperature": 0.9, "seed": 3}
    assert apply_defaults(chat_request(), config.for_model("other")).keep_alive == 1


def test_wrong_options_in_the_configuration_are_errors_of_ours() -> None:
    with pytest.raises(OllamaManagerError) as caught:
        apply_defaults(chat_request(), ModelDefaults(options={"temprature": 1}))
    assert "temprature" in str(caught.value)
