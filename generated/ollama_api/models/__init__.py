"""What requests and responses hold, one module a model; a model is imported when it is first used (PEP 562)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .chat_request import ChatRequest as ChatRequest
    from .chat_response import ChatResponse as ChatResponse
    from .cloud_status import CloudStatus as CloudStatus
    from .copy_request import CopyRequest as CopyRequest
    from .create_request import CreateRequest as CreateRequest
    from .debug_info import DebugInfo as DebugInfo
    from .delete_request import DeleteRequest as DeleteRequest
    from .embed_request import EmbedRequest as EmbedRequest
    from .embed_response import EmbedResponse as EmbedResponse
    from .embedding_request import EmbeddingRequest as EmbeddingRequest
    from .embedding_response import EmbeddingResponse as EmbeddingResponse
    from .error_response import ErrorResponse as ErrorResponse
    from .format_name import FormatName as FormatName
    from .generate_request import GenerateRequest as GenerateRequest
    from .generate_response import GenerateResponse as GenerateResponse
    from .list_model_response import ListModelResponse as ListModelResponse
    from .list_response import ListResponse as ListResponse
    from .logprob import Logprob as Logprob
    from .message import Message as Message
    from .model_details import ModelDetails as ModelDetails
    from .model_recommendation import ModelRecommendation as ModelRecommendation
    from .model_recommendations_response import (
        ModelRecommendationsResponse as ModelRecommendationsResponse,
    )
    from .options import Options as Options
    from .process_model_response import ProcessModelResponse as ProcessModelResponse
    from .process_response import ProcessResponse as ProcessResponse
    from .progress_response import ProgressResponse as ProgressResponse
    from .pull_request import PullRequest as PullRequest
    from .push_request import PushRequest as PushRequest
    from .show_request import ShowRequest as ShowRequest
    from .show_response import ShowResponse as ShowResponse
    from .status_response import StatusResponse as StatusResponse
    from .tensor import Tensor as Tensor
    from .think_level import ThinkLevel as ThinkLevel
    from .token_logprob import TokenLogprob as TokenLogprob
    from .tool import Tool as Tool
    from .tool_call import ToolCall as ToolCall
    from .tool_call_function import ToolCallFunction as ToolCallFunction
    from .tool_function import ToolFunction as ToolFunction
    from .user_response import UserResponse as UserResponse
    from .version_response import VersionResponse as VersionResponse
    from .web_fetch_request import WebFetchRequest as WebFetchRequest
    from .web_fetch_response import WebFetchResponse as WebFetchResponse
    from .web_search_request import WebSearchRequest as WebSearchRequest
    from .web_search_response import WebSearchResponse as WebSearchResponse
    from .web_search_result import WebSearchResult as WebSearchResult
else:
    _MODULES = {
        "ChatRequest": "chat_request",
        "ChatResponse": "chat_response",
        "CloudStatus": "cloud_status",
        "CopyRequest": "copy_request",
        "CreateRequest": "create_request",
        "DebugInfo": "debug_info",
        "DeleteRequest": "delete_request",
        "EmbedRequest": "embed_request",
        "EmbedResponse": "embed_response",
        "EmbeddingRequest": "embedding_request",
        "EmbeddingResponse": "embedding_response",
        "ErrorResponse": "error_response",
        "FormatName": "format_name",
        "GenerateRequest": "generate_request",
        "GenerateResponse": "generate_response",
        "ListModelResponse": "list_model_response",
        "ListResponse": "list_response",
        "Logprob": "logprob",
        "Message": "message",
        "ModelDetails": "model_details",
        "ModelRecommendation": "model_recommendation",
        "ModelRecommendationsResponse": "model_recommendations_response",
        "Options": "options",
        "ProcessModelResponse": "process_model_response",
        "ProcessResponse": "process_response",
        "ProgressResponse": "progress_response",
        "PullRequest": "pull_request",
        "PushRequest": "push_request",
        "ShowRequest": "show_request",
        "ShowResponse": "show_response",
        "StatusResponse": "status_response",
        "Tensor": "tensor",
        "ThinkLevel": "think_level",
        "TokenLogprob": "token_logprob",
        "Tool": "tool",
        "ToolCall": "tool_call",
        "ToolCallFunction": "tool_call_function",
        "ToolFunction": "tool_function",
        "UserResponse": "user_response",
        "VersionResponse": "version_response",
        "WebFetchRequest": "web_fetch_request",
        "WebFetchResponse": "web_fetch_response",
        "WebSearchRequest": "web_search_request",
        "WebSearchResponse": "web_search_response",
        "WebSearchResult": "web_search_result",
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module("." + _MODULES[name], __name__), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted(globals().keys() | _MODULES.keys())


__all__ = (
    "ChatRequest",
    "ChatResponse",
    "CloudStatus",
    "CopyRequest",
    "CreateRequest",
    "DebugInfo",
    "DeleteRequest",
    "EmbedRequest",
    "EmbedResponse",
    "EmbeddingRequest",
    "EmbeddingResponse",
    "ErrorResponse",
    "FormatName",
    "GenerateRequest",
    "GenerateResponse",
    "ListModelResponse",
    "ListResponse",
    "Logprob",
    "Message",
    "ModelDetails",
    "ModelRecommendation",
    "ModelRecommendationsResponse",
    "Options",
    "ProcessModelResponse",
    "ProcessResponse",
    "ProgressResponse",
    "PullRequest",
    "PushRequest",
    "ShowRequest",
    "ShowResponse",
    "StatusResponse",
    "Tensor",
    "ThinkLevel",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "ToolCallFunction",
    "ToolFunction",
    "UserResponse",
    "VersionResponse",
    "WebFetchRequest",
    "WebFetchResponse",
    "WebSearchRequest",
    "WebSearchResponse",
    "WebSearchResult",
)
