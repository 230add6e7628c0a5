"""One list of requests, good and bad, and what is compared of the answers of servers to it.

`requests.txt` is the list. `answers/VERSION.json` is what real servers answered;
`record_examples.py` writes it. The simulator stands for the newest of them: `EXPLAINED` says where
it does not, and where an older server does not, and why. Nothing else may differ.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..plain_http import plain_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import httpx

HERE = Path(__file__).parent
ANSWERS = HERE / "answers"

_STANDS_FOR = {"␊": "\n", "␠": " ", "﹝BOM﹞": "\ufeff"}
# Kept as they are, since clients decide by them; everything else is compared by its type.
_TELLING = {"done_reason": ("load", "unload"), "role": ("assistant", "")}

_NO_HUB = "that server had no way to the hub; the simulator is its own hub"
_NO_CLOUD = "that server could not reach ollama.com; the simulator's account is signed out"
_NO_TOKENS = "the tiny model makes no token of an empty text; most models make one, as simulated"
_LISTED_LESS = "v0.30.0 brought capabilities and lengths to the list"
_EMBEDS_ALL = "here every model can embed"
_AS_ASKED = "here a missing model is named as it was asked for"
_BLIND = "here a model that cannot see ignores images"
_OWN_RUNNER = "here another runner refuses, in its own words"
_UNCHECKED = "here nothing checks it"

_EVERYWHERE = {
    'POST /api/pull {"model":"http://x/y/z"}': _NO_HUB,
    'POST /api/pull {"model":"http://x/y/z","stream":false}': _NO_HUB,
    'POST /api/embed {"model":"tiny-embed","input":[""]}': _NO_TOKENS,
    "POST /api/me": _NO_CLOUD,
    "POST /api/signout": _NO_CLOUD,
    "DELETE /api/user/keys/abc": _NO_CLOUD,
    'POST /api/experimental/web_search {"query":"x"}': _NO_CLOUD,
    'POST /api/experimental/web_fetch {"url":"x"}': _NO_CLOUD,
}
_CHAT = 'POST /api/chat {"model":"tiny","messages":'
_FEW = '"options":{"num_predict":3,"num_thread":1}}'
_HI = '[{"role":"user","content":"hi"}]'
_IMAGE = '[{"role":"user","content":"hi","images":["aGVsbG8="]}]'

EXPLAINED: Mapping[str, Mapping[str, str]] = {
    "0.33.0-rc2": _EVERYWHERE,
    "0.24.0": {
        **_EVERYWHERE,
        "GET /api/tags": _LISTED_LESS,
        f'{_CHAT}{_HI},"format":{{"type":"foo"}},"stream":false,{_FEW}': _OWN_RUNNER,
        f"{_CHAT}{_IMAGE},{_FEW}": _BLIND,
        f'{_CHAT}{_IMAGE},"stream":false,{_FEW}': _BLIND,
        f'POST /api/generate {{"model":"tiny","prompt":"hi","images":["aGVsbG8="],{_FEW}': _BLIND,
        f'{_CHAT}[{{"role":"foo","content":"hi"}}],"stream":false,{_FEW}': _OWN_RUNNER,
        f'{_CHAT}[{{}}],"stream":false,{_FEW}': _OWN_RUNNER,
        'POST /api/embed {"model":"tiny","input":"hi"}': _EMBEDS_ALL,
        'POST /api/embeddings {"model":"tiny","prompt":"hi"}': _EMBEDS_ALL,
        'POST /api/show {"model":"nope"}': _AS_ASKED,
        'POST /api/show {"model":"me/nope"}': _AS_ASKED,
        'POST /api/create {"model":"x","from":"tiny","info":{"context_length":-1}}': _UNCHECKED,
    },
}
"""By version and request, why the answer of that server differs from that of the simulator."""

UNSENT: Mapping[str, Mapping[str, str]] = {
    "0.24.0": {
        'POST /api/create {"model":"x","from":"tiny","info":{"context_length":"x"}}': (
            "the server panics and is gone"
        ),
        f'{_CHAT}{_HI},"stream":false,"options":{{"num_predict":0,"num_thread":1}}}}': (
            "it writes for ever: 0 is no limit there"
        ),
    },
}
"""By version, requests that are not sent to it, and what they would do."""


class Answer(NamedTuple):
    """What is compared of an answer."""

    status: int
    content_type: str | None
    allow: str | None
    location: str | None
    said: Any
    """The text of what is no JSON, the error, or the keys and types of the first and last line."""


def requests() -> Iterator[str]:
    """The requests, one after another."""
    for text in (HERE / "requests.txt").read_text(encoding="utf-8").splitlines():
        if text and not text.startswith("#"):
            yield text


def answers_of(
    base_url: str,
    unsent: Mapping[str, str],
    note: Callable[[str, httpx.Response], None] | None = None,
) -> dict[str, Answer]:
    """Send every request but the unsent to a server.

    Args:
        base_url: The server; a fresh one with the models ``tiny`` and ``tiny-embed``.
        unsent: What is left out.
        note: Is shown every request and its answer.

    Returns:
        The answers by request; one that comes again has a number.
    """
    found: dict[str, Answer] = {}
    with plain_client(base_url, timeout=60, trust_env=False) as http:
        for text in requests():
            if text in unsent:
                continue
            method, path, body = [*text.split(" ", 2), ""][:3]
            for mark, meant in _STANDS_FOR.items():
                body = body.replace(mark, meant)
            response = http.request(method, path, content=body.encode())
            if note is not None:
                note(text, response)
            key, number = text, 1
            while key in found:
                number += 1
                key = f"{text} (no. {number})"
            found[key] = _answer(method, response)
    return found


def _answer(method: str, response: httpx.Response) -> Answer:
    headers = response.headers
    return Answer(
        response.status_code,
        headers.get("content-type"),
        headers.get("allow"),
        headers.get("location"),
        "" if method == "HEAD" else _said(response),
    )


def _said(response: httpx.Response) -> Any:
    if "json" not in response.headers.get("content-type", ""):
        return response.text
    lines = [json.loads(line) for line in response.content.split(b"\n") if line]
    for line in lines:
        if isinstance(line, dict) and "error" in line:
            # The folder of models, and the second at which the cloud was asked, are not the point.
            error = re.sub(r"open /\S*?/(?=manifests/|blobs/)", "open ", line["error"])
            error = re.sub(r"\?ts=\d+", "", error)
            rest = sorted(set(line) - {"error"})
            return {"error": error, "beside": rest, "before": [_shape(lines[0])][: len(lines) - 1]}
    return [_shape(line) for line in (lines[:1] + lines[1:][-1:])]


def _shape(value: Any) -> Any:
    """Keys and types; of a list, those of its first element."""
    if isinstance(value, dict):
        return {
            key: item if item in _TELLING.get(key, ()) else _shape(item)
            for key, item in sorted(value.items())
            if key != "model_info"  # as rich as the model's file
        }
    if isinstance(value, list):
        return [_shape(item) for item in value[:1]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return "number"


def recorded(version: str) -> dict[str, Answer]:
    """What a real server of this version answered."""
    entries = json.loads((ANSWERS / f"{version}.json").read_text(encoding="utf-8"))
    return {request: Answer(*answer) for request, answer in entries.items()}


def write(version: str, answers: Mapping[str, Answer]) -> None:
    """Keep what a real server of this version answered, a request a line."""
    entries = (
        f"{json.dumps(request, ensure_ascii=False)}: {json.dumps(answer, ensure_ascii=False)}"
        for request, answer in answers.items()
    )
    text = "{\n" + ",\n".join(entries) + "\n}\n"
    ANSWERS.mkdir(exist_ok=True)
    (ANSWERS / f"{version}.json").write_text(text, encoding="utf-8")


def differences(real: Mapping[str, Answer], simulated: Mapping[str, Answer]) -> dict[str, str]:
    """The requests that were answered differently, with both answers."""
    return {
        request: f"{request}\n  real      {answer}\n  simulated {simulated[request]}"
        for request, answer in real.items()
        if answer != simulated[request]
    }


def explained(version: str) -> Mapping[str, str]:
    """What may differ on a version, as on the newest one where it has not been recorded."""
    return EXPLAINED.get(version, _EVERYWHERE)
