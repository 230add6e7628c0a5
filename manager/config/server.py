"""The table ``[server]``: the address, the program, its life, and Ollama's own variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import attrs

from manager.config.keys import Key, key, keys_of, metadata
from manager.config.kinds import (
    BOOL,
    COUNT,
    DEBUG,
    DURATION,
    FACTOR,
    GO_BOOL,
    LINGER,
    SECONDS,
    TEXT,
    UINT,
    WAIT,
    WORDS,
    choice,
)
from manager.config.locations import BINARY, HOST, PATH
from manager.config.mappings import ENVIRONMENT
from manager.errors import ConfigError
from manager.hosts import DEFAULT_HOST, parse_host

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from manager.config.kinds import Kind
    from manager.hosts import Address

__all__ = ["OnChange", "ServerConfig"]

OnChange: TypeAlias = Literal["drain", "now", "manual"]


def _ollama(name: str, kind: Kind, doc: str) -> Any:
    """Declare the key of one of Ollama's variables; None leaves it to Ollama."""
    return key(kind, None, doc, effect="restart", variable=f"OLLAMA_{name}")


_HOST_KEY = Key(
    HOST,
    "Where the server is; https or a path means remote.",
    DEFAULT_HOST,
    effect="new managers only",
    name="host",
    table="server",
)
_BINARY_KEY = Key(
    BINARY,
    "The program to start; unset: `ollama` on PATH and in the usual places.",
    effect="restart",
    name="binary",
    table="server",
)


# Functions of their own, so that type checkers know what the two keys take.
def _to_address(value: Address | str) -> Address:
    address: Address = _HOST_KEY.read(value, _HOST_KEY.path)
    return address


def _to_words(
    value: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None,
) -> tuple[str, ...] | None:
    words: tuple[str, ...] | None = _BINARY_KEY.read(value, _BINARY_KEY.path, BINARY.from_caller)
    return words


@attrs.frozen(kw_only=True)
class ServerConfig:
    """The server: where it is, how it is started and kept alive, and its own settings.

    docs/configuration.md describes each key. Durations of our own are seconds; those of Ollama
    are in Ollama's forms.
    """

    table: ClassVar[str] = "server"

    host: Address = attrs.field(
        default=parse_host(DEFAULT_HOST), converter=_to_address, metadata=metadata(_HOST_KEY)
    )
    binary: tuple[str, ...] | None = attrs.field(
        default=None, converter=_to_words, metadata=metadata(_BINARY_KEY)
    )
    autostart: bool = key(BOOL, True, "Start a server where none answers.")
    linger: float = key(LINGER, 0.0, "How long the server stays after its last manager.")
    start_timeout: float = key(WAIT, 120.0, "How long a start may take until the server answers.")
    stop_timeout: float = key(WAIT, 10.0, "How long a stop may take before the server is killed.")
    drain_timeout: float = key(
        SECONDS, 30.0, "How long a restart waits for the requests that are under way."
    )
    on_change: OnChange = key(  # noqa: RUF009
        choice("drain", "now", "manual"),
        "drain",
        "When changed server settings are applied: after a drain, at once, or by hand.",
    )
    watch: bool = key(
        BOOL, True, "Reload the configuration when its file changes.", effect="new managers only"
    )
    env: Mapping[str, str] = key(
        ENVIRONMENT,
        {},
        "Further variables of the server, such as `CUDA_VISIBLE_DEVICES`.",
        effect="restart",
    )
    restart_initial_delay: float = key(
        WAIT, 0.5, "The wait before the second restart of a server that dies early."
    )
    restart_max_delay: float = key(WAIT, 30.0, "The longest wait before a restart.")
    restart_multiplier: float = key(FACTOR, 2.0, "What that wait grows by each time.")
    crash_loop_limit: int = key(COUNT, 5, "After how many early deaths in a row it is given up.")
    liveness_interval: float = key(
        SECONDS, 10.0, "The time between two checks that it answers; 0: none are made."
    )
    liveness_timeout: float = key(WAIT, 5.0, "How long such a check waits for the answer.")
    liveness_threshold: int = key(COUNT, 3, "How many checks in a row must fail.")
    runner_timeout: float = key(
        SECONDS,
        30.0,
        "How long a runner may do nothing while an answer waits for it, until it is replaced; "
        "0: it is left alone.",
    )

    models: str | None = _ollama("MODELS", PATH, "The folder of the models.")
    origins: str | None = _ollama("ORIGINS", WORDS, "Web origins that may call the server.")
    remotes: str | None = _ollama("REMOTES", WORDS, "Hosts that remote models may come from.")
    keep_alive: str | None = _ollama("KEEP_ALIVE", DURATION, "How long a model stays loaded.")
    load_timeout: str | None = _ollama(
        "LOAD_TIMEOUT", DURATION, "How long the load of a model may stall."
    )
    debug: bool | int | None = _ollama("DEBUG", DEBUG, "Log more: true; a trace: 2.")
    debug_log_requests: bool | None = _ollama(
        "DEBUG_LOG_REQUESTS", GO_BOOL, "Write the bodies of requests to a temporary folder."
    )
    num_parallel: int | None = _ollama(
        "NUM_PARALLEL", UINT, "How many requests a model answers at the same time."
    )
    max_loaded_models: int | None = _ollama(
        "MAX_LOADED_MODELS", UINT, "How many models may be loaded; 0: three for each GPU."
    )
    max_queue: int | None = _ollama("MAX_QUEUE", UINT, "How many requests may wait.")
    max_transfer_streams: int | None = _ollama(
        "MAX_TRANSFER_STREAMS", UINT, "How many streams a pull or push may use."
    )
    context_length: int | None = _ollama(
        "CONTEXT_LENGTH", UINT, "The context where a call names none; 0: by the GPU's memory."
    )
    gpu_overhead: int | None = _ollama("GPU_OVERHEAD", UINT, "Bytes to leave free on each GPU.")
    kv_cache_type: str | None = _ollama(
        "KV_CACHE_TYPE", TEXT, "How the cache is quantized, such as `q8_0`."
    )
    llm_library: str | None = _ollama("LLM_LIBRARY", TEXT, "The library to use, not detected.")
    flash_attention: bool | None = _ollama("FLASH_ATTENTION", GO_BOOL, "Use flash attention.")
    igpu_enable: bool | None = _ollama("IGPU_ENABLE", GO_BOOL, "Use integrated GPUs.")
    vulkan: bool | None = _ollama("VULKAN", GO_BOOL, "Use Vulkan.")
    go_template: bool | None = _ollama("GO_TEMPLATE", GO_BOOL, "Render Go templates of models.")
    noprune: bool | None = _ollama(
        "NOPRUNE", GO_BOOL, "Keep unreferenced blobs and partial downloads at start."
    )
    nohistory: bool | None = _ollama("NOHISTORY", GO_BOOL, "Keep no history of `ollama run`.")
    sched_spread: bool | None = _ollama("SCHED_SPREAD", GO_BOOL, "Spread a model over all GPUs.")
    no_cloud: bool | None = _ollama("NO_CLOUD", GO_BOOL, "Turn Ollama's cloud features off.")

    def __attrs_post_init__(self) -> None:
        for about in keys_of(ServerConfig) if self.env else ():
            if about.variable in self.env and getattr(self, about.name) is not None:
                raise ConfigError(
                    f"{about.path} and {about.variable} in server.env are the same setting",
                    hint="keep one of them",
                    key=about.path,
                )
