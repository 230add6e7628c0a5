"""What the methods of a manager are made of, loaded when it is first used (PEP 562).

``from manager import AsyncOllamaManager`` needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ollama_api.api.account import signout as signout
    from ollama_api.api.account import whoami as whoami
    from ollama_api.api.experimental import model_recommendations as model_recommendations
    from ollama_api.api.experimental import web_fetch as web_fetch
    from ollama_api.api.experimental import web_search as web_search
    from ollama_api.api.inference import chat as chat
    from ollama_api.api.inference import embed as embed
    from ollama_api.api.inference import generate as generate
    from ollama_api.api.models import copy_model as copy_model
    from ollama_api.api.models import create_model as create_model
    from ollama_api.api.models import delete_model as delete_model
    from ollama_api.api.models import list_models as list_models
    from ollama_api.api.models import list_running as list_running
    from ollama_api.api.models import pull_model as pull_model
    from ollama_api.api.models import push_model as push_model
    from ollama_api.api.models import show_model as show_model
    from ollama_api.api.server import cloud_status as cloud_status
    from ollama_api.api.server import version as version

    from manager._async.embeddings import AsyncEmbedStream as AsyncEmbedStream
    from manager._async.own_transport import separate_transport as separate_transport
    from manager._async.progress import follow_progress as follow_progress
    from manager._async.session import AsyncSession as AsyncSession
    from manager._async.streams import AsyncChatStream as AsyncChatStream
    from manager._async.streams import AsyncGenerateStream as AsyncGenerateStream
    from manager._async.uploads import digests_of as digests_of
    from manager._async.uploads import upload_missing as upload_missing
    from manager.arguments import check_at_least_one as check_at_least_one
    from manager.arguments import check_callback as check_callback
    from manager.arguments import check_many_texts as check_many_texts
    from manager.blobs import local_files as local_files
    from manager.cloud_requests import build_web_fetch_request as build_web_fetch_request
    from manager.cloud_requests import build_web_search_request as build_web_search_request
    from manager.config import ConfigSources as ConfigSources
    from manager.defaults import apply_defaults as apply_defaults
    from manager.embedding_arrays import with_array as with_array
    from manager.embedding_lists import with_lists as with_lists
    from manager.images import holds_files as holds_files
    from manager.missing import explain_missing as explain_missing
    from manager.model_requests import build_copy_request as build_copy_request
    from manager.model_requests import build_create_request as build_create_request
    from manager.model_requests import build_delete_request as build_delete_request
    from manager.model_requests import build_pull_request as build_pull_request
    from manager.model_requests import build_push_request as build_push_request
    from manager.model_requests import build_show_request as build_show_request
    from manager.names import canonical_name as canonical_name
    from manager.names import check_model_name as check_model_name
    from manager.progress import check_listener as check_listener
    from manager.repair import ask_again as ask_again
    from manager.requests import build_chat_request as build_chat_request
    from manager.requests import build_embed_request as build_embed_request
    from manager.requests import build_embedding_load_request as build_embedding_load_request
    from manager.requests import build_generate_request as build_generate_request
    from manager.requests import build_load_request as build_load_request
    from manager.requests import build_unload_request as build_unload_request
    from manager.schemas import json_schema_of as json_schema_of
    from manager.schemas import parse_output as parse_output
    from manager.shown import shown_model as shown_model
    from manager.since import explain_age as explain_age
    from manager.since import is_recent as is_recent
    from manager.waiting_async import run_async as run_async

_MODULES = {
    "manager._async.embeddings": ("AsyncEmbedStream",),
    "manager._async.progress": ("follow_progress",),
    "manager._async.own_transport": ("separate_transport",),
    "manager._async.session": ("AsyncSession",),
    "manager._async.streams": ("AsyncChatStream", "AsyncGenerateStream"),
    "manager._async.uploads": ("digests_of", "upload_missing"),
    "manager.arguments": ("check_at_least_one", "check_callback", "check_many_texts"),
    "manager.blobs": ("local_files",),
    "manager.cloud_requests": ("build_web_fetch_request", "build_web_search_request"),
    "manager.config": ("ConfigSources",),
    "manager.defaults": ("apply_defaults",),
    "manager.embedding_arrays": ("with_array",),
    "manager.embedding_lists": ("with_lists",),
    "manager.images": ("holds_files",),
    "manager.missing": ("explain_missing",),
    "manager.model_requests": (
        "build_copy_request",
        "build_create_request",
        "build_delete_request",
        "build_pull_request",
        "build_push_request",
        "build_show_request",
    ),
    "manager.names": ("canonical_name", "check_model_name"),
    "manager.progress": ("check_listener",),
    "manager.repair": ("ask_again",),
    "manager.requests": (
        "build_chat_request",
        "build_embed_request",
        "build_embedding_load_request",
        "build_generate_request",
        "build_load_request",
        "build_unload_request",
    ),
    "manager.schemas": ("json_schema_of", "parse_output"),
    "manager.shown": ("shown_model",),
    "manager.since": ("explain_age", "is_recent"),
    "manager.waiting_async": ("run_async",),
    "ollama_api.api.account": ("signout", "whoami"),
    "ollama_api.api.experimental": ("model_recommendations", "web_fetch", "web_search"),
    "ollama_api.api.inference": ("chat", "embed", "generate"),
    "ollama_api.api.models": (
        "copy_model",
        "create_model",
        "delete_model",
        "list_models",
        "list_running",
        "pull_model",
        "push_model",
        "show_model",
    ),
    "ollama_api.api.server": ("cloud_status", "version"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:  # a type checker is to know the names above and no others

    def __getattr__(name: str) -> object:
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # as `from home import name` does it: an operation is a module of its own
        value = globals()[name] = getattr(__import__(home, fromlist=(name,)), name)
        return value
