"""The tables of the configuration other than ``[server]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

import attrs

from manager.config.keys import key
from manager.config.kinds import (
    BOOL,
    COUNT,
    FACTOR,
    JITTER,
    KEEP_ALIVE,
    KEY,
    SECONDS,
    THINK,
    WAIT,
    Kind,
    choice,
    json_from_text,
    optional,
    read_mapping,
)
from manager.config.locations import CERTIFICATE, PATH, PROXY, VERIFY
from manager.config.mappings import HEADERS, OPTIONS
from manager.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ClientConfig",
    "DefaultsConfig",
    "LoggingConfig",
    "ModelDefaults",
    "RetryConfig",
    "Transport",
    "Verbosity",
    "WhileRestarting",
]

Transport: TypeAlias = Literal["auto", "httpx"]
WhileRestarting: TypeAlias = Literal["wait", "fail"]
Verbosity: TypeAlias = Literal["off", "errors", "calls", "headers", "bodies"]


@attrs.frozen(kw_only=True)
class ClientConfig:
    """How the server is called. Durations are seconds; ``None`` is no limit."""

    table: ClassVar[str] = "client"

    connect_timeout: float | None = key(optional(WAIT), 2.0, "To open a connection.")
    first_token_timeout: float | None = key(
        optional(WAIT), 300.0, "Until the first byte of an answer; a model load counts."
    )
    chunk_timeout: float | None = key(
        optional(WAIT), 60.0, "The longest silence between two chunks of a stream of tokens."
    )
    total_timeout: float | None = key(
        optional(WAIT), None, "From the call to its end, retries and waiting included."
    )
    api_key: str | None = key(
        KEY, None, "Sent as bearer token, over https or to this machine only.", secret=True
    )
    headers: Mapping[str, str] = key(HEADERS, {}, "Sent with every request.", secret=True)
    verify: bool | str = key(VERIFY, True, "Check certificates; a path: against this CA file.")
    cert: str | tuple[str, str] | None = key(CERTIFICATE, None, "The client's own certificate.")
    proxy: str | None = key(PROXY, None, "The proxy to use.")
    trust_env: bool = key(
        BOOL, True, "Take the proxy and CA files from `HTTP_PROXY`, `SSL_CERT_FILE` ..."
    )
    while_restarting: WhileRestarting = key(  # noqa: RUF009
        choice("wait", "fail"),
        "wait",
        "What calls do that meet a server on its way back: wait for it, or fail at once.",
    )
    max_connections: int | None = key(
        optional(COUNT), 256, "How many connections may be open; more requests wait."
    )
    max_keepalive: int | None = key(
        optional(COUNT), 32, "How many idle connections are kept for later requests."
    )
    transport: Transport = key(  # noqa: RUF009
        choice("auto", "httpx"),
        "auto",
        "auto is this package's own HTTP engine, and httpx's transport for a SOCKS proxy; httpx is "
        "httpx's transport for everything.",
    )


@attrs.frozen(kw_only=True)
class RetryConfig:
    """When a failed request is sent again: exponential backoff. Durations are seconds."""

    table: ClassVar[str] = "retry"

    max_attempts: int = key(COUNT, 4, "How often a request is sent at most; 1: no retries.")
    initial_delay: float = key(SECONDS, 0.25, "The longest wait before the second attempt.")
    max_delay: float = key(SECONDS, 8.0, "The longest wait before any attempt.")
    multiplier: float = key(FACTOR, 2.0, "What the longest wait grows by with each attempt.")
    jitter: bool = key(JITTER, True, "Wait a random share of it, so that clients spread out.")
    budget: float | None = key(
        optional(SECONDS),
        30.0,
        "No attempt begins later than this after the first failure; a restart is not counted.",
    )


@attrs.frozen(kw_only=True)
class LoggingConfig:
    """What is logged of calls, and how."""

    table: ClassVar[str] = "logging"

    level: Verbosity = key(  # noqa: RUF009
        choice("off", "errors", "calls", "headers", "bodies"),
        "errors",
        "Each level adds to the one before; prompts and answers are logged at `bodies` only.",
    )
    json: bool = key(BOOL, False, "One JSON object a line, to `file` or standard error.")
    file: str | None = key(
        PATH, None, "Append to this file; unset: what the program does with Python's `logging`."
    )


@attrs.frozen(kw_only=True)
class ModelDefaults:
    """What a call sends where it does not say otherwise."""

    table: ClassVar[str] = "defaults.models"

    keep_alive: float | str | None = key(KEEP_ALIVE, None, "How long the model stays loaded.")
    think: bool | str | None = key(THINK, None, "Whether, or how much, the model thinks.")
    options: Mapping[str, object] = key(OPTIONS, {}, "Options such as `temperature`.")


def _read_models(value: object) -> object:
    models: dict[str, ModelDefaults] = {}
    for name, entry in read_mapping(value).items():
        models[name] = entry if isinstance(entry, ModelDefaults) else _read_entry(name, entry)
    return models


def _read_entry(name: str, entry: object) -> ModelDefaults:
    known = [field.name for field in attrs.fields(ModelDefaults)]
    settings = read_mapping(entry)
    for word in settings:
        if word not in known:
            near = nearest(word, known)
            remedy = f"did you mean {near}?" if near else f"it has {', '.join(known)}"
            raise ValueError(f"gives {name!r} the unknown key {word!r}; {remedy}")
    # The values are checked, and refused with ConfigError, by the class itself.
    return ModelDefaults(**settings)  # type: ignore[arg-type]


MODELS = Kind(
    "a table with one table for each model", "table of tables", _read_models, json_from_text
)


@attrs.frozen(kw_only=True)
class DefaultsConfig:
    """What every call sends where it does not say otherwise, and what calls of one model do."""

    table: ClassVar[str] = "defaults"

    keep_alive: float | str | None = key(KEEP_ALIVE, None, "How long a model stays loaded.")
    think: bool | str | None = key(THINK, None, "Whether, or how much, a model thinks.")
    options: Mapping[str, object] = key(OPTIONS, {}, "Options such as `temperature`.")
    models: Mapping[str, ModelDefaults] = key(
        MODELS, {}, 'The same three keys for one model: `[defaults.models."llama3.2"]`.'
    )

    def for_model(self, model_name: str) -> ModelDefaults | DefaultsConfig:
        """Return what calls of a model send by default.

        Args:
            model_name: The name in the call; ``:latest`` may be left out here or there.
        """
        own = self.models.get(model_name) or self.models.get(_other_name(model_name))
        if own is None:
            return self  # each call asks, and a record with checked values takes its time
        return ModelDefaults(
            keep_alive=self.keep_alive if own.keep_alive is None else own.keep_alive,
            think=self.think if own.think is None else own.think,
            options={**self.options, **own.options},
        )


def _other_name(model_name: str) -> str:
    bare = model_name.removesuffix(":latest")
    return bare if bare != model_name else f"{model_name}:latest"
