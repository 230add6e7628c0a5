"""Ollama's names for models, and its digests.

The grammar is ``[host[:port]/][namespace/]model[:tag]``, as ``types/model/name.go`` of Ollama
parses it; ``internal/modelref`` adds a source in the last place, ``:cloud``, ``:local`` or a tag
that ends in ``-cloud``. One rule is stricter here: of URL schemes only http and https pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from manager.errors import InvalidRequestError
from manager.spelling import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "canonical_name",
    "check_digest",
    "check_model_name",
    "closest_names",
    "is_cloud_model",
    "short_name",
]

_DEFAULT_HOST = "registry.ollama.ai"
_DEFAULT_NAMESPACE = "library"
_DEFAULT_TAG = "latest"
_ALIKE = 0.6

_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")


class _Part(NamedTuple):
    pattern: re.Pattern[str]
    longest: int
    allowed: str


_PARTS = {
    "host": _Part(
        re.compile(r"\w[\w.:-]*", re.ASCII), 350, 'letters, digits, "_", "-", "." and ":"'
    ),
    "namespace": _Part(re.compile(r"\w[\w-]*", re.ASCII), 80, 'letters, digits, "_" and "-"'),
    "model": _Part(re.compile(r"\w[\w.-]*", re.ASCII), 80, 'letters, digits, "_", "-" and "."'),
    "tag": _Part(re.compile(r"\w[\w.-]*", re.ASCII), 80, 'letters, digits, "_", "-" and "."'),
}


class _Name(NamedTuple):
    """The parts of a name; ``None`` where a part was not given, empty where it is missing."""

    scheme: str | None
    host: str | None
    namespace: str | None
    model: str
    tag: str | None


def check_model_name(
    name: object, *, argument: str = "model_name", source_suffix: bool = True
) -> str:
    """Return ``name`` unchanged if Ollama can take it as the name of a model.

    Args:
        name: What the caller gave.
        argument: The name of the argument, for the error.
        source_suffix: Whether ``name:tag:cloud`` and ``name:tag:local`` are allowed. Ollama reads
            them where a model is used or pulled, not where one is made, copied or pushed.

    Raises:
        InvalidRequestError: It is no string, empty, or one of its parts is malformed.
    """
    if not isinstance(name, str):
        raise InvalidRequestError(
            f"{argument} must be a string, got {type(name).__name__}",
            argument=argument,
            hint='Give the name of a model, such as "llama3.2:3b".',
        )
    _check_characters(name, argument)
    base, source = _split_source(name) if source_suffix else (name, None)
    if source is not None and _split_source(base)[1] is not None:
        raise InvalidRequestError(
            f"{argument} {shown(name)} names its source twice",
            argument=argument,
            hint='End it in ":cloud" or ":local", once.',
        )
    _check_parts(_split(base), name, argument)
    return name


def canonical_name(name: str) -> str:
    """Return the full name in lower case, for comparing two names.

    Ollama compares names without regard to case, fills in the tag ``latest``, the namespace
    ``library`` and its own registry, and lists ``name:tag:cloud`` as ``name:tag-cloud``.
    """
    parts = _canonical(name)
    return f"{parts.host}/{parts.namespace}/{parts.model}:{parts.tag}"


def short_name(name: str) -> str:
    """Return the canonical name without the parts that Ollama fills in, but always with a tag."""
    parts = _canonical(name)
    prefix = ""
    if parts.host != _DEFAULT_HOST:
        prefix = f"{parts.host}/{parts.namespace}/"
    elif parts.namespace != _DEFAULT_NAMESPACE:
        prefix = f"{parts.namespace}/"
    return f"{prefix}{parts.model}:{parts.tag}"


def closest_names(name: str, candidates: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to ``limit`` of ``candidates`` that are written most like ``name``, best first."""
    from difflib import SequenceMatcher

    wanted, wanted_model = short_name(name), _canonical(name).model
    scored: list[tuple[float, str]] = []
    for candidate in dict.fromkeys(candidates):
        full = SequenceMatcher(None, wanted, short_name(candidate)).ratio()
        # The right model under another tag is nearer than another model under the same tag.
        model = SequenceMatcher(None, wanted_model, _canonical(candidate).model).ratio()
        if model >= _ALIKE:
            scored.append((full + 2 * model, candidate))
    scored.sort(key=lambda item: -item[0])
    return [candidate for _, candidate in scored[:limit]]


def is_cloud_model(name: str) -> bool:
    """Return whether the name itself asks for a model that runs in Ollama's cloud."""
    return _split_source(name)[1] == "cloud"


def check_digest(digest: object, *, argument: str = "digest") -> str:
    """Return ``digest`` in the form that Ollama stores: ``sha256:`` and 64 lower-case digits.

    Raises:
        InvalidRequestError: It is no SHA-256 digest.
    """
    match = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if match is None:
        raise InvalidRequestError(
            f"{argument} must be a SHA-256 digest, got {shown(digest)}",
            argument=argument,
            hint='Write it as "sha256:" and 64 hexadecimal digits.',
        )
    return f"sha256:{match[1].lower()}"


def _check_characters(name: str, argument: str) -> None:
    if not name.strip():
        raise InvalidRequestError(
            f"{argument} is empty",
            argument=argument,
            hint='Give the name of a model, such as "llama3.2:3b"; list_models() shows yours.',
        )
    if name != name.strip():
        raise InvalidRequestError(
            f"{argument} {shown(name)} has whitespace around it",
            argument=argument,
            hint=f"Write it as {shown(name.strip())}.",
        )
    if name.isprintable() and " " not in name:
        return
    for position, character in enumerate(name):
        if character.isspace() or not character.isprintable():
            kind = "whitespace" if character.isspace() else "a control character"
            raise InvalidRequestError(
                f"{argument} {shown(name)} contains {kind} "
                f"(U+{ord(character):04X}) at position {position}",
                argument=argument,
                hint="Remove it.",
            )


def _check_parts(parts: _Name, name: str, argument: str) -> None:
    if parts.scheme is not None and parts.scheme not in ("http", "https"):
        raise InvalidRequestError(
            f"{argument} {shown(name)} has the scheme {shown(parts.scheme)}",
            argument=argument,
            hint="Use http:// or https://, or leave it out.",
        )
    for kind in ("host", "namespace", "model", "tag"):
        value: str | None = getattr(parts, kind)
        if value is not None:
            _check_part(kind, value, name, argument)


def _check_part(kind: str, value: str, name: str, argument: str) -> None:
    part = _PARTS[kind]
    form = "Model names have the form [host[:port]/][namespace/]model[:tag]."
    if not value:
        raise InvalidRequestError(
            f"{argument} {shown(name)} has an empty {kind}", argument=argument, hint=form
        )
    if len(value) > part.longest:
        raise InvalidRequestError(
            f"the {kind} in {argument} is {len(value)} characters long, "
            f"Ollama allows {part.longest}",
            argument=argument,
            hint=form,
        )
    if not part.pattern.fullmatch(value):
        raise InvalidRequestError(
            f"{argument} {shown(name)} has a malformed {kind} {shown(value)}",
            argument=argument,
            hint=f"A {kind} starts with a letter, digit or underscore "
            f"and holds {part.allowed}. {form}",
        )


def _split_source(name: str) -> tuple[str, str | None]:
    base, colon, suffix = name.rpartition(":")
    folded = suffix.lower()
    if not colon:
        return name, None
    if folded in ("cloud", "local"):
        return base, folded
    if "/" not in suffix and folded.endswith("-cloud"):
        return f"{base}:{suffix[: -len('-cloud')]}", "cloud"
    return name, None


def _split(name: str) -> _Name:
    tag: str | None = None
    rest = name
    if name.rfind(":") > name.rfind("/"):
        rest, _, tag = name.rpartition(":")
    *front, model = rest.rsplit("/", 2)
    namespace = front.pop() if front else None
    scheme: str | None = None
    host = front.pop() if front else None
    if host is not None and "://" in host:
        scheme, _, host = host.partition("://")
    return _Name(scheme, host, namespace, model, tag)


def _canonical(name: str) -> _Name:
    base, source = _split_source(name.strip())
    parts = _split(base)
    tag = parts.tag
    if source == "cloud":
        tag = f"{tag}-cloud" if tag else "cloud"
    return _Name(
        None,
        (parts.host or _DEFAULT_HOST).lower(),
        (parts.namespace or _DEFAULT_NAMESPACE).lower(),
        parts.model.lower(),
        (tag or _DEFAULT_TAG).lower(),
    )
