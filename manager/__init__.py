"""Start, watch, restart and talk to an Ollama server.

>>> from manager import OllamaManager
>>> with OllamaManager() as m:
...     print(m.chat("llama3.2", "Why is the sky blue?").message.content)

Importing does nothing; a name is loaded when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ollama_api.models import ChatResponse as ChatResponse
    from ollama_api.models import CloudStatus as CloudStatus
    from ollama_api.models import EmbedResponse as EmbedResponse
    from ollama_api.models import GenerateResponse as GenerateResponse
    from ollama_api.models import ListModelResponse as ListModelResponse
    from ollama_api.models import Logprob as Logprob
    from ollama_api.models import Message as Message
    from ollama_api.models import ModelDetails as ModelDetails
    from ollama_api.models import ModelRecommendation as ModelRecommendation
    from ollama_api.models import Options as Options
    from ollama_api.models import ProcessModelResponse as ProcessModelResponse
    from ollama_api.models import ProgressResponse as ProgressResponse
    from ollama_api.models import ShowResponse as ShowResponse
    from ollama_api.models import Tensor as Tensor
    from ollama_api.models import TokenLogprob as TokenLogprob
    from ollama_api.models import Tool as Tool
    from ollama_api.models import ToolCall as ToolCall
    from ollama_api.models import ToolCallFunction as ToolCallFunction
    from ollama_api.models import ToolFunction as ToolFunction
    from ollama_api.models import UserResponse as UserResponse
    from ollama_api.models import WebFetchResponse as WebFetchResponse
    from ollama_api.models import WebSearchResult as WebSearchResult
    from ollama_api.models.options import OptionsDict as OptionsDict

    from manager._async.embeddings import AsyncEmbedStream as AsyncEmbedStream
    from manager._async.manager import AsyncOllamaManager as AsyncOllamaManager
    from manager._async.streams import AsyncChatStream as AsyncChatStream
    from manager._async.streams import AsyncGenerateStream as AsyncGenerateStream
    from manager._sync.embeddings import EmbedStream as EmbedStream
    from manager._sync.manager import OllamaManager as OllamaManager
    from manager._sync.streams import ChatStream as ChatStream
    from manager._sync.streams import GenerateStream as GenerateStream
    from manager.config import ConfigChange as ConfigChange
    from manager.config import ManagerConfig as ManagerConfig
    from manager.config import RetryConfig as RetryConfig
    from manager.default import DEFAULT as DEFAULT
    from manager.errors import APIError as APIError
    from manager.errors import AuthenticationError as AuthenticationError
    from manager.errors import BadRequestError as BadRequestError
    from manager.errors import CapabilityError as CapabilityError
    from manager.errors import ConfigError as ConfigError
    from manager.errors import InternalServerError as InternalServerError
    from manager.errors import InvalidRequestError as InvalidRequestError
    from manager.errors import ModelNotFoundError as ModelNotFoundError
    from manager.errors import OllamaManagerError as OllamaManagerError
    from manager.errors import OutputParseError as OutputParseError
    from manager.errors import PermissionDeniedError as PermissionDeniedError
    from manager.errors import RequestTimeoutError as RequestTimeoutError
    from manager.errors import ResponseDecodeError as ResponseDecodeError
    from manager.errors import ServerBusyError as ServerBusyError
    from manager.errors import ServerCrashedError as ServerCrashedError
    from manager.errors import ServerNotFoundError as ServerNotFoundError
    from manager.errors import ServerNotOwnedError as ServerNotOwnedError
    from manager.errors import ServerStartError as ServerStartError
    from manager.errors import ServerTooOldError as ServerTooOldError
    from manager.errors import ServerUnavailableError as ServerUnavailableError
    from manager.errors import StreamInterruptedError as StreamInterruptedError
    from manager.events import Event as Event
    from manager.shown import ShownModel as ShownModel
    from manager.status import Ownership as Ownership
    from manager.status import ServerState as ServerState
    from manager.status import ServerStatus as ServerStatus
    from manager.supervisor.frozen import freeze_support as freeze_support
    from manager.timeouts import Timeouts as Timeouts
    from manager.version import __version__ as __version__

_MODULES = {
    "manager._async.embeddings": ("AsyncEmbedStream",),
    "manager._async.manager": ("AsyncOllamaManager",),
    "manager._async.streams": ("AsyncChatStream", "AsyncGenerateStream"),
    "manager._sync.embeddings": ("EmbedStream",),
    "manager._sync.manager": ("OllamaManager",),
    "manager._sync.streams": ("ChatStream", "GenerateStream"),
    "manager.config": ("ConfigChange", "ManagerConfig", "RetryConfig"),
    "manager.default": ("DEFAULT",),
    "manager.errors": (
        "APIError",
        "AuthenticationError",
        "BadRequestError",
        "CapabilityError",
        "ConfigError",
        "InternalServerError",
        "InvalidRequestError",
        "ModelNotFoundError",
        "OllamaManagerError",
        "OutputParseError",
        "PermissionDeniedError",
        "RequestTimeoutError",
        "ResponseDecodeError",
        "ServerBusyError",
        "ServerCrashedError",
        "ServerNotFoundError",
        "ServerNotOwnedError",
        "ServerStartError",
        "ServerTooOldError",
        "ServerUnavailableError",
        "StreamInterruptedError",
    ),
    "manager.events": ("Event",),
    "manager.shown": ("ShownModel",),
    "manager.status": ("Ownership", "ServerState", "ServerStatus"),
    "manager.supervisor.frozen": ("freeze_support",),
    "manager.timeouts": ("Timeouts",),
    "manager.version": ("__version__",),
    "ollama_api.models": (
        "ChatResponse",
        "CloudStatus",
        "EmbedResponse",
        "GenerateResponse",
        "ListModelResponse",
        "Logprob",
        "Message",
        "ModelDetails",
        "ModelRecommendation",
        "Options",
        "ProcessModelResponse",
        "ProgressResponse",
        "ShowResponse",
        "Tensor",
        "TokenLogprob",
        "Tool",
        "ToolCall",
        "ToolCallFunction",
        "ToolFunction",
        "UserResponse",
        "WebFetchResponse",
        "WebSearchResult",
    ),
    "ollama_api.models.options": ("OptionsDict",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "DEFAULT",
    "APIError",
    "AsyncChatStream",
    "AsyncEmbedStream",
    "AsyncGenerateStream",
    "AsyncOllamaManager",
    "AuthenticationError",
    "BadRequestError",
    "CapabilityError",
    "ChatResponse",
    "ChatStream",
    "CloudStatus",
    "ConfigChange",
    "ConfigError",
    "EmbedResponse",
    "EmbedStream",
    "Event",
    "GenerateResponse",
    "GenerateStream",
    "InternalServerError",
    "InvalidRequestError",
    "ListModelResponse",
    "Logprob",
    "ManagerConfig",
    "Message",
    "ModelDetails",
    "ModelNotFoundError",
    "ModelRecommendation",
    "OllamaManager",
    "OllamaManagerError",
    "Options",
    "OptionsDict",
    "OutputParseError",
    "Ownership",
    "PermissionDeniedError",
    "ProcessModelResponse",
    "ProgressResponse",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "RetryConfig",
    "ServerBusyError",
    "ServerCrashedError",
    "ServerNotFoundError",
    "ServerNotOwnedError",
    "ServerStartError",
    "ServerState",
    "ServerStatus",
    "ServerTooOldError",
    "ServerUnavailableError",
    "ShowResponse",
    "ShownModel",
    "StreamInterruptedError",
    "Tensor",
    "Timeouts",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "ToolCallFunction",
    "ToolFunction",
    "UserResponse",
    "WebFetchResponse",
    "WebSearchResult",
    "__version__",
    "freeze_support",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
