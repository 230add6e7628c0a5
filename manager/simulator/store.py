"""The models that the server has, in memory: what they are, and their layers and blobs."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from manager.simulator.exchange import encode

if TYPE_CHECKING:
    from manager.simulator.names import Name

MEDIA_TYPE = "application/vnd.ollama.image."


class Layer(NamedTuple):
    """A part of a model, by the digest of its content."""

    digest: str
    size: int
    kind: str
    """``model``, ``template``, ``system``, ``params``, ``messages``, ``license`` and the like."""


class Model(NamedTuple):
    """A model, complete; never changed, only replaced."""

    name: Name
    layers: tuple[Layer, ...]
    modified_at: int
    """Nanoseconds since the epoch."""
    family: str = "simulated"
    format: str = "gguf"
    parameter_count: int = 1_000_000
    parameter_size: str = "1M"
    quantization: str = "Q4_K_M"
    capabilities: tuple[str, ...] = ("completion",)
    context_length: int = 8192
    embedding_length: int = 384
    template: str = "{{ .Prompt }}"
    system: str = ""
    license: tuple[str, ...] = ()
    parameters: dict[str, Any] = {}  # noqa: RUF012 - never changed
    messages: tuple[dict[str, Any], ...] = ()
    parent: str = ""
    requires: str = ""
    remote_model: str = ""
    remote_host: str = ""

    @property
    def digest(self) -> str:
        """The digest of the manifest, without a prefix."""
        manifest = [self.name.key, *map(list, self.layers)]
        return hashlib.sha256(encode(manifest)).hexdigest()

    @property
    def size(self) -> int:
        return sum(layer.size for layer in self.layers)

    @property
    def blob_name(self) -> str:
        """The file that a runner would open."""
        weights = (layer.digest for layer in self.layers if layer.kind == "model")
        return "blobs/" + next(weights, "none").replace(":", "-")


class Blob(NamedTuple):
    """Content that was uploaded: its size and how it begins."""

    size: int
    head: bytes


def text_layer(kind: str, content: bytes) -> Layer:
    """The layer that holds a text."""
    return Layer(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), kind)


class Store:
    """Models by name, blobs by digest, and how far broken-off pulls came.

    Args:
        models: What is there at the start.
    """

    def __init__(self, models: tuple[Model, ...] = ()) -> None:
        self._lock = threading.Lock()
        self._models = {model.name.key: model for model in models}
        self._blobs: dict[str, Blob] = {}
        self._partial: dict[str, int] = {}

    def find(self, name: Name) -> Model | None:
        """The model of a name, whatever its case."""
        with self._lock:
            return self._models.get(name.key)

    def all(self) -> list[Model]:
        """All models, the latest first."""
        with self._lock:
            return sorted(self._models.values(), key=lambda model: -model.modified_at)

    def put(self, model: Model) -> None:
        """Add a model, or replace the one of that name."""
        with self._lock:
            old = self._models.get(model.name.key)
            # A name keeps the case in which it came first.
            name = model.name if old is None else old.name
            self._models[name.key] = model._replace(name=name, modified_at=time.time_ns())

    def remove(self, name: Name) -> bool:
        """Remove a model with the blobs that only it has; whether it was there."""
        with self._lock:
            model = self._models.pop(name.key, None)
            if model is None:
                return False
            kept = {layer.digest for other in self._models.values() for layer in other.layers}
            for layer in model.layers:
                if layer.digest not in kept:
                    self._blobs.pop(layer.digest, None)
            return True

    def add_blob(self, digest: str, blob: Blob) -> None:
        with self._lock:
            self._blobs[digest] = blob

    def blob(self, digest: str) -> Blob | None:
        """The blob of a digest, if it was uploaded or a model has it as a layer."""
        with self._lock:
            found = self._blobs.get(digest)
            if found is not None:
                return found
            for model in self._models.values():
                for layer in model.layers:
                    if layer.digest == digest:
                        return Blob(layer.size, b"GGUF" if layer.kind == "model" else b"")
            return None

    def downloaded(self, digest: str) -> int:
        """How many bytes of a layer a pull has left behind."""
        with self._lock:
            return self._partial.get(digest, 0)

    def set_downloaded(self, layer: Layer, size: int) -> None:
        """Note how far a layer has come; a whole one becomes a blob."""
        with self._lock:
            if size < layer.size:
                self._partial[layer.digest] = size
            else:
                self._partial.pop(layer.digest, None)
                self._blobs[layer.digest] = Blob(
                    layer.size, b"GGUF" if layer.kind == "model" else b""
                )
