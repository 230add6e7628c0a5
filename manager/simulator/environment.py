"""The environment that the program honours: Ollama's variables, and a few of its own.

Its own, all starting with ``OLLAMA_SIMULATOR_``:

=================  =============  ==============================================================
``MODELS``         two models     names of the models at the start, separated by commas
``TOKEN_SECONDS``  0.005          time that a token takes; 0 is as fast as it can
``LOAD_SECONDS``   0              time that loading a model takes
``PULL_SECONDS``   0.5            time that a pull or push takes
``ORPHAN_SECONDS`` 30             how long a runner outlives a server that was killed
``USER``           empty          who is signed in; cloud models answer then
``TETHER``         false          stop when standard input ends
``DIRECTOR``       empty          where a test listens that decides about each request
=================  =============  ==============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from manager.simulator.go_values import FOREVER, parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_MODELS = "simulated:latest,simulated-embed:latest"

_DEFAULT_PORT = 11434
_SCHEME_PORTS = {"http": 80, "https": 443}
_FALSE = {"", "0", "f", "false"}


class Settings(NamedTuple):
    """What the environment asks for; durations in seconds."""

    host: str = "127.0.0.1"
    port: int = _DEFAULT_PORT
    keep_alive: float = 300
    load_timeout: float = 300
    max_queue: int = 512
    num_parallel: int = 0
    """Answers that a model writes at once; 0 is without limit."""
    max_loaded_models: int = 3
    context_length: int = 4096
    no_cloud: bool = False
    origins: tuple[str, ...] = ()
    models: tuple[str, ...] = tuple(DEFAULT_MODELS.split(","))
    token_seconds: float = 0.005
    load_seconds: float = 0.0
    pull_seconds: float = 0.5
    orphan_seconds: float = 30.0
    user: str = ""
    tether: bool = False
    director: str = ""


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings; what cannot be parsed counts as not set, as in Ollama."""

    def get(name: str) -> str:
        return environment.get(name, "").strip().strip("\"'")

    host, port = parse_host(get("OLLAMA_HOST").strip())
    own = "OLLAMA_SIMULATOR_"
    models = environment.get(f"{own}MODELS", DEFAULT_MODELS)
    return Settings(
        host=host,
        port=port,
        keep_alive=_keep_alive(get("OLLAMA_KEEP_ALIVE")),
        load_timeout=_load_timeout(get("OLLAMA_LOAD_TIMEOUT")),
        max_queue=_whole(get("OLLAMA_MAX_QUEUE"), 512),
        num_parallel=_whole(get("OLLAMA_NUM_PARALLEL"), 0),
        max_loaded_models=_whole(get("OLLAMA_MAX_LOADED_MODELS"), 0) or 3,
        context_length=_whole(get("OLLAMA_CONTEXT_LENGTH"), 0) or 4096,
        no_cloud=_flag(get("OLLAMA_NO_CLOUD")),
        origins=_names(get("OLLAMA_ORIGINS")),
        models=_names(models),
        token_seconds=_number(get(f"{own}TOKEN_SECONDS"), 0.005),
        load_seconds=_number(get(f"{own}LOAD_SECONDS"), 0.0),
        pull_seconds=_number(get(f"{own}PULL_SECONDS"), 0.5),
        orphan_seconds=_number(get(f"{own}ORPHAN_SECONDS"), 30.0),
        user=get(f"{own}USER"),
        tether=_flag(get(f"{own}TETHER")),
        director=get(f"{own}DIRECTOR"),
    )


def parse_host(text: str) -> tuple[str, int]:
    """Read ``OLLAMA_HOST`` as a server does: the address and port to listen at."""
    scheme, marker, rest = text.partition("://")
    if not marker:
        scheme, rest = "", text
    default = _SCHEME_PORTS.get(scheme, _DEFAULT_PORT)
    address = rest.partition("/")[0]
    host, port = address, ""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port.removeprefix(":")
    elif address.count(":") == 1:
        host, port = address.split(":")
    if port.isascii() and port.isdigit() and int(port) <= 65535:
        default = int(port)
    # Go listens everywhere when the host is empty but a port is given.
    return host or ("" if port else "127.0.0.1"), default


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _flag(text: str) -> bool:
    return text.lower() not in _FALSE


def _whole(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() else default


def _number(text: str, default: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return default
    return value if 0 <= value < float("inf") else default


def _duration(text: str, default: float) -> float:
    try:
        # A bare number is seconds.
        return float(text) if text.lstrip("-").isdigit() else parse_duration(text)
    except ValueError:
        return default


def _keep_alive(text: str) -> float:
    seconds = _duration(text, 300)
    return FOREVER if seconds < 0 else seconds


def _load_timeout(text: str) -> float:
    seconds = _duration(text, 300)
    return FOREVER if seconds <= 0 else seconds
