"""Make a small GGUF file with random weights that a real Ollama server loads and runs.

The answers are noise, but everything around them is real: loading, tokens, grammars, embeddings.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from gguf import GGUFWriter, LlamaFileType, PoolingType, TokenType

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FAST", "SLOW", "Size", "write_tiny_model"]

_HEADS = 4
_CONTEXT = 4096
_END_OF_TURN = "<|end|>"
_PADDING = "<|padding|>"


class Size(NamedTuple):
    """How large a model is, and so how slow."""

    width: int
    layers: int


FAST = Size(width=64, layers=2)
"""A quarter of a megabyte; thousands of tokens a second."""
SLOW = Size(width=256, layers=6)
"""Ten megabytes; hundreds of tokens a second, for tests that interrupt an answer."""


def write_tiny_model(path: Path, size: Size = FAST, *, embeds: bool = False, seed: int = 1) -> Path:
    """Write a model of the Llama architecture.

    Args:
        path: Where to.
        size: How large it is.
        embeds: Give it a pooling type, which makes it a model for embeddings and nothing else.
        seed: Models with different seeds say different things.

    Returns:
        ``path``.
    """
    writer = GGUFWriter(path, "llama")
    _describe(writer, size)
    if embeds:
        writer.add_pooling_type(PoolingType.MEAN)
    tokens = _byte_tokens()
    _add_tokenizer(writer, tokens)
    _add_weights(writer, size, tokens, np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: GGUFWriter, size: Size) -> None:
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(size.width)
    writer.add_block_count(size.layers)
    writer.add_feed_forward_length(2 * size.width)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(size.width // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)


def _byte_tokens() -> list[str]:
    """One token per byte, in the letters that byte-level BPE writes bytes with.

    A byte that Latin-1 can print stands for itself; the others take the letters from 256 on.
    """
    spare = itertools.count(256)
    return [chr(byte) if _prints(byte) else chr(next(spare)) for byte in range(256)]


def _prints(byte: int) -> bool:
    return chr(byte).isprintable() and byte not in (0x20, 0xA0, 0xAD)


def _add_tokenizer(writer: GGUFWriter, tokens: list[str]) -> None:
    pair = [tokens[ord(letter)] for letter in "he"]
    special = [_END_OF_TURN, _PADDING]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*tokens, "".join(pair), *special])
    writer.add_token_types(
        [TokenType.NORMAL] * (len(tokens) + 1) + [TokenType.CONTROL] * len(special)
    )
    writer.add_token_merges([" ".join(pair)])  # the list must not be empty
    writer.add_eos_token_id(len(tokens) + 1)
    writer.add_pad_token_id(len(tokens) + 2)
    writer.add_add_bos_token(False)
    writer.add_vocab_size(len(tokens) + 1 + len(special))


def _add_weights(
    writer: GGUFWriter, size: Size, tokens: list[str], rng: np.random.Generator
) -> None:
    width, hidden, count = size.width, 2 * size.width, len(tokens) + 3

    def noise(*shape: int) -> NDArray[np.float16]:
        return rng.normal(scale=0.3, size=shape).astype(np.float16)

    def add(name: str, tensor: NDArray[np.floating]) -> None:
        writer.add_tensor(f"{name}.weight", tensor)

    add("token_embd", noise(count, width))
    for layer in (f"blk.{number}" for number in range(size.layers)):
        for norm in ("attn_norm", "ffn_norm"):
            add(f"{layer}.{norm}", np.ones(width, np.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"{layer}.{part}", noise(width, width))
        add(f"{layer}.ffn_gate", noise(hidden, width))
        add(f"{layer}.ffn_up", noise(hidden, width))
        add(f"{layer}.ffn_down", noise(width, hidden))
    add("output_norm", np.ones(width, np.float32))

    # A token with an output of zeros never beats the best of ninety random ones. So the answers
    # are plain ASCII, never broken UTF-8, and never end before `num_predict`.
    head = np.zeros((count, width), np.float16)
    head[0x21:0x7F] = noise(0x7F - 0x21, width)
    add("output", head)
