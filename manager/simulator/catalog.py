"""The simulated hub: which models it has, and what they are like."""

from __future__ import annotations

import hashlib
import re
import time
from typing import TYPE_CHECKING, Any

from manager.simulator.embeddings import DIMENSIONS
from manager.simulator.exchange import encode
from manager.simulator.store import Layer, Model, text_layer

if TYPE_CHECKING:
    from manager.simulator.names import Name, Reference

_ABSENT = ("missing", "no-such", "nosuch", "nonexistent", "does-not-exist", "not-found")
_EMBEDDING = ("embed", "minilm", "bge", "e5-")
_VISION = ("vision", "llava", "-vl", "moondream", "gemma3")
_THINKING = ("think", "deepseek-r1", "qwen3", "gpt-oss", "magistral")
_INSERTING = ("code", "simulated")
_BILLIONS = re.compile(r"(\d+(?:\.\d+)?)b\b")
_BYTES_PER_BILLION = 8_000_000
_TEMPLATE = "{{ if .System }}{{ .System }}\n{{ end }}{{ .Prompt }}"
_LICENSE = "This model is simulated: there are no weights, and nothing to license."
CLOUD_HOST = "https://ollama.com:443"


def is_on_hub(name: Name) -> bool:
    """Whether the hub has a model: any but those whose name says that it does not exist."""
    return not any(word in name.model.lower() for word in _ABSENT)


def describe(name: Name) -> Model:
    """The model of a name, always the same; what it can do shows in its name."""
    lowered = f"{name.model}:{name.tag}".lower()
    capabilities = _capabilities(lowered)
    billions = _BILLIONS.search(lowered)
    count = int(float(billions[1]) * 1e9) if billions else 1_000_000
    parameters: dict[str, Any] = {} if "embedding" in capabilities else {"temperature": 0.7}
    weights = hashlib.sha256(f"simulated weights of {name.key}".encode()).hexdigest()
    config = encode({"model_format": "gguf", "model_family": "simulated", "name": name.key})
    size = max(int(count / 1e9 * _BYTES_PER_BILLION), 4_000_000)
    return Model(
        name=name,
        layers=(
            Layer(f"sha256:{weights}", size, "model"),
            text_layer("template", _TEMPLATE.encode()),
            text_layer("license", _LICENSE.encode()),
            text_layer("params", encode(parameters)),
            text_layer("config", config),
        ),
        modified_at=time.time_ns(),
        parameter_count=count,
        parameter_size=human_number(count),
        capabilities=capabilities,
        embedding_length=DIMENSIONS,
        template=_TEMPLATE,
        license=(_LICENSE,),
        parameters=parameters,
    )


def describe_cloud(reference: Reference, name: Name) -> Model:
    """The stub that is kept of a model that runs in the cloud."""
    model = describe(name)
    layers = tuple(layer for layer in model.layers if layer.kind == "config")
    return model._replace(
        layers=layers,
        format="",
        remote_model=reference.base,
        remote_host=CLOUD_HOST,
        capabilities=("completion", "tools", "thinking"),
    )


def _capabilities(name: str) -> tuple[str, ...]:
    if any(word in name for word in _EMBEDDING):
        return ("embedding",)
    found = ["completion"]
    if any(word in name for word in _VISION):
        found.append("vision")
    found.append("tools")
    if any(word in name for word in _INSERTING):
        found.append("insert")
    if name.startswith("simulated:") or any(word in name for word in _THINKING):
        found.append("thinking")
    return tuple(found)


def human_number(count: float) -> str:
    """A count in thousands, millions or billions, as Ollama shows parameters."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= size:
            value = count / size
            return f"{value:.0f}{unit}" if value >= 100 else f"{round(value, 2):g}{unit}"
    return str(int(count))


def model_info(model: Model, *, verbose: bool) -> dict[str, Any]:
    """What ``/api/show`` tells of the weights; long lists are null unless asked for."""
    family = model.family
    info: dict[str, Any] = {
        "general.architecture": family,
        "general.description": "simulated: there are no weights",
        "general.file_type": 15,
        "general.parameter_count": model.parameter_count,
        f"{family}.attention.head_count": 4,
        f"{family}.attention.head_count_kv": 4,
        f"{family}.block_count": 2,
        f"{family}.context_length": model.context_length,
        f"{family}.embedding_length": model.embedding_length,
        "tokenizer.ggml.model": "simulated",
        "tokenizer.ggml.merges": ["t h", "th e"] if verbose else None,
        "tokenizer.ggml.token_type": [1, 1, 1, 1] if verbose else None,
        "tokenizer.ggml.tokens": ["t", "h", "e", "the"] if verbose else None,
    }
    if "embedding" in model.capabilities:
        info[f"{family}.pooling_type"] = 1
    return info


def tensors(model: Model) -> list[dict[str, Any]]:
    """The tensors that the weights would have."""
    width = model.embedding_length
    shapes = {"attn_q": [width, width], "attn_k": [width, width], "ffn_up": [width, 4 * width]}
    return [
        {"name": "token_embd.weight", "type": "F32", "shape": [width, 4]},
        *(
            {"name": f"blk.{block}.{part}.weight", "type": "Q4_K", "shape": shape}
            for block in range(2)
            for part, shape in shapes.items()
        ),
        {"name": "output_norm.weight", "type": "F32", "shape": [width]},
    ]
