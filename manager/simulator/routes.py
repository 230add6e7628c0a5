"""Which handler answers what, and the answers for everything else."""

from __future__ import annotations

import re
from collections.abc import Callable

from manager.simulator import account, creation, embedding, inference, models, transfers
from manager.simulator.app import App
from manager.simulator.exchange import Reply, Request, Stream

Handler = Callable[[App, Request], Reply | Stream]

_ROUTES: dict[str, dict[str, Handler]] = {
    "/": {"HEAD": account.root, "GET": account.root},
    "/api/version": {"HEAD": account.version, "GET": account.version},
    "/api/status": {"GET": account.cloud_status},
    "/api/pull": {"POST": transfers.pull},
    "/api/push": {"POST": transfers.push},
    "/api/tags": {"HEAD": models.list_models, "GET": models.list_models},
    "/api/show": {"POST": models.show},
    "/api/delete": {"DELETE": models.delete},
    "/api/me": {"POST": account.whoami},
    "/api/signout": {"POST": account.signout},
    "/api/user/keys/*": {"DELETE": account.signout},
    "/api/create": {"POST": creation.create},
    "/api/blobs/*": {"HEAD": creation.blob_exists, "POST": creation.create_blob},
    "/api/copy": {"POST": models.copy},
    "/api/experimental/web_search": {"POST": account.web_search},
    "/api/experimental/web_fetch": {"POST": account.web_fetch},
    "/api/experimental/model-recommendations": {"GET": account.recommendations},
    "/api/ps": {"GET": models.list_running},
    "/api/generate": {"POST": inference.generate},
    "/api/chat": {"POST": inference.chat},
    "/api/embed": {"POST": embedding.embed},
    "/api/embeddings": {"POST": embedding.embeddings_of_prompt},
}
MODEL_PATHS = frozenset({"/api/generate", "/api/chat", "/api/embed", "/api/embeddings"})
"""Where it is a model that answers."""

_PLAIN = "text/plain"
_HTML = "text/html; charset=utf-8"


def find(method: str, path: str) -> Handler | Reply:
    """The handler of a request, or the answer if there is none."""
    clean = re.sub("//+", "/", path)
    if clean != path:
        return _redirect(307, "Temporary Redirect", clean)
    handlers = _handlers(path)
    if handlers is None:
        if path.endswith("/") and _handlers(path[:-1]):
            if method == "GET":
                return _redirect(301, "Moved Permanently", path[:-1])
            return Reply(307, headers=(("Location", path[:-1]),))
        return Reply(404, _PLAIN, b"404 page not found")
    if method not in handlers:
        allow = ", ".join(handlers)
        return Reply(405, _PLAIN, b"405 method not allowed", (("Allow", allow),))
    return handlers[method]


def is_known(path: str) -> bool:
    """Whether there is anything at a path."""
    return _handlers(path) is not None


def _handlers(path: str) -> dict[str, Handler] | None:
    handlers = _ROUTES.get(path)
    if handlers is None:
        parent, _, last = path.rpartition("/")
        handlers = _ROUTES.get(f"{parent}/*") if last else None
    return handlers


def _redirect(status: int, reason: str, path: str) -> Reply:
    body = f'<a href="{path}">{reason}</a>.\n\n'
    return Reply(status, _HTML, body.encode(), (("Location", path),))
