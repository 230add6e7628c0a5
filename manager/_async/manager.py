"""The async manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, Unpack

from manager._async import late
from manager._async.account import AsyncAccountMethods
from manager._async.chat import AsyncChatMethods
from manager._async.embed import AsyncEmbedMethods
from manager._async.generate import AsyncGenerateMethods
from manager._async.life import AsyncServerMethods
from manager._async.models import AsyncModelMethods

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from manager._async.session import AsyncSession
    from manager.config import ManagerConfig, ManagerSettings

__all__ = ["AsyncOllamaManager"]


class AsyncOllamaManager(
    AsyncServerMethods,
    AsyncModelMethods,
    AsyncChatMethods,
    AsyncGenerateMethods,
    AsyncEmbedMethods,
    AsyncAccountMethods,
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
        >>> async with AsyncOllamaManager() as m:
        ...     answer = await m.chat("llama3.2", "Hello")
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
        self._session: AsyncSession = late.AsyncSession(sources, transport)

    async def __aenter__(self) -> Self:
        self._session.check_open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End this manager: its streams, its connections and its lease on the server."""
        await self._session.close()

    def __repr__(self) -> str:
        status = self.status()
        return f"<{type(self).__name__} {status.host} {status.state.value}>"
