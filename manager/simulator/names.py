"""Model names as Ollama reads, completes and shortens them."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


class Name(NamedTuple):
    """The four parts of a model name, defaults filled in."""

    host: str
    namespace: str
    model: str
    tag: str
    scheme: str = "https"

    @property
    def is_valid(self) -> bool:
        return (
            _HOST.fullmatch(self.host) is not None
            and _NAMESPACE.fullmatch(self.namespace) is not None
            and _PART.fullmatch(self.model) is not None
            and _PART.fullmatch(self.tag) is not None
        )

    @property
    def full(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def short(self) -> str:
        """The form that lists show: without the default registry and namespace."""
        if self.host.lower() != DEFAULT_HOST:
            return self.full
        if self.namespace.lower() != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{self.model}:{self.tag}"
        return f"{self.model}:{self.tag}"

    @property
    def key(self) -> str:
        """What two names have in common when they mean the same model."""
        return self.full.lower()


class Reference(NamedTuple):
    """A name as a client gave it, with the ``:cloud`` or ``:local`` at its end taken off."""

    original: str
    base: str
    name: Name
    source: Literal["", "local", "cloud"]


class NameProblem(Exception):
    """A reference that names no model; ``kind`` says in which way."""

    def __init__(self, kind: Literal["missing", "conflicting", "invalid"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def parse_name(text: str) -> Name:
    """Complete a name with Ollama's defaults; whether it is valid is another question."""
    rest, tag = text, DEFAULT_TAG
    if rest.rfind(":") > rest.rfind("/"):
        rest, _, tag = rest.rpartition(":")
    rest, slash, model = rest.rpartition("/")
    if not slash:
        return Name(DEFAULT_HOST, DEFAULT_NAMESPACE, model, tag)
    host, slash, namespace = rest.rpartition("/")
    if not slash:
        return Name(DEFAULT_HOST, namespace, model, tag)
    scheme, marker, address = host.partition("://")
    if marker:
        return Name(address, namespace, model, tag, scheme)
    return Name(host, namespace, model, tag)


def _split_source(text: str) -> tuple[str, Literal["", "local", "cloud"]]:
    base, colon, suffix = text.rpartition(":")
    if not colon:
        return text, ""
    lowered = suffix.strip().lower()
    if lowered == "cloud":
        return base, "cloud"
    if lowered == "local":
        return base, "local"
    if lowered.endswith("-cloud") and "/" not in lowered:
        return f"{base}:{suffix.strip()[: -len('-cloud')]}", "cloud"
    return text, ""


def parse_reference(text: str) -> Reference:
    """Read what a client gave as ``model``.

    Raises:
        NameProblem: It is empty, asks for both sources, or breaks the grammar.
    """
    text = text.strip()
    if not text:
        raise NameProblem("missing", "model is required")
    base, source = _split_source(text)
    if source and _split_source(base)[1]:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        raise NameProblem("conflicting", f'use either :local or :cloud, not both: "{quoted}"')
    name = parse_name(base)
    if not name.is_valid:
        raise NameProblem("invalid", "invalid model name")
    return Reference(text, base, name, source)


def pull_name(reference: Reference) -> Name:
    """The name under which a pulled model is kept: cloud stubs keep their mark in the tag."""
    if reference.source != "cloud":
        return reference.name
    if reference.base.rfind(":") > reference.base.rfind("/"):
        return parse_name(f"{reference.base}-cloud")
    return parse_name(f"{reference.base}:cloud")
