# generated from manager/_async/manager.py by codegen.sh - do not edit
"""The sync manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, Unpack

from manager._sync import late
from manager._sync.account import AccountMethods
from manager._sync.chat import ChatMethods
from manager._sync.embed import EmbedMethods
from manager._sync.generate import GenerateMethods
from manager._sync.life import ServerMethods
from manager._sync.models import ModelMethods

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from manager._sync.session import Session
    from manager.config import ManagerConfig, ManagerSettings

__all__ = ["OllamaManager"]


class OllamaManager(
    ServerMethods,
    ModelMethods,
    ChatMethods,
    GenerateMethods,
    EmbedMethods,
    AccountMethods,
):
    """Starts, watches, restarts and talks to an Ollama server.

    The first call that needs the server adopts the one at ``host`` or starts one. Constructing
    touches no network and no process.

    Args:
        config: A whole configuration; the other arguments win over it.
        config_file: Where to read the configuration from instead of the usual places.
        settings: Keys of ``[server]`` and ``[client]`` as keywords, such as ``host=``; the other
            tables as mappings, such as ``retry={"max_attempts": 1}``. ``transport`` also takes an
            httpx transport, such as ``httpx.MockTransport``, which then carries all calls and is
            not closed with the manager.

    Raises:
        ConfigError: The configuration is wrong.

    Example:
        >>> with OllamaManager() as m:
        ...     answer = m.chat("llama3.2", "Hello")
        ...     print(answer.message.content)
    """

    def __init__(
        self,
        config: ManagerConfig | None = None,
        *,
        config_file: str | os.PathLike[str] | None = None,
        **settings: Unpack[ManagerSettings],
    ) -> None:
        settings, transport = late.separate_transport(settings)
        sources = late.ConfigSources(config, config_file, settings)
        self._session: Session = late.Session(sources, transport)

    def __enter__(self) -> Self:
        self._session.check_open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End this manager: its streams, its connections and its lease on the server."""
        self._session.close()

    def __repr__(self) -> str:
        status = self.status()
        return f"<{type(self).__name__} {status.host} {status.state.value}>"
