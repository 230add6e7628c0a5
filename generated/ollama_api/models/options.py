from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self, TypedDict

from attrs import define, field, frozen

from ..types import (
    are_text,
    boolean,
    integer,
    list_of,
    mapping,
    number,
    read,
    text,
)


@define(kw_only=True)
class Options:
    """Model options. What is not given comes from the model, then from the server's defaults. The
    server ignores names that it does not know. Those about loading (`num_ctx`, `num_batch`,
    `num_gpu`, `main_gpu`, `use_mmap`, `num_thread`, `draft_num_predict`) load the model anew
    when they differ from how it is loaded.

    Attributes:
        num_ctx (int | None): Size of the context window in tokens, prompt and answer together.
            Longer prompts are cut silently. Default: OLLAMA_CONTEXT_LENGTH, or else 4096 to 262144
            by the GPU memory there is. Fewer than 4 count as 4.
        num_batch (int | None): Tokens of a prompt that are processed at a time. Default 512,
            2048 for embedding, more if memory allows.
        num_gpu (int | None): Layers to put on the GPU; 0 is none, -1 as many as fit. Default
            -1.
        main_gpu (int | None): Index of the GPU that does what is not split between several.
            Default the first.
        use_mmap (bool | None): Map the model file into memory rather than read it. Default
            decided by the server.
        num_thread (int | None): Threads to compute with on the CPU; 0 lets the server decide.
            Default 0.
        draft_num_predict (int | None): Tokens that a draft model may guess ahead at a time; 0
            switches guessing off. Default 4 for a model that has a draft model, otherwise 0. Since
            Ollama v0.30.0.
        num_keep (int | None): Tokens at the start of the prompt that stay when a full context
            is shifted; -1 keeps the whole prompt. Default 4.
        seed (int | None): Seed of the random numbers; the same seed, prompt and options repeat
            an answer. Default -1, random.
        num_predict (int | None): Most tokens to generate; -1 until the model stops, -2 until
            the context is full. The server bounds both to a few times the context. Default -1.
        top_k (int | None): Choose among the this many likeliest tokens; 0 or -1 among all.
            Default 40.
        top_p (float | None): Choose among the likeliest tokens that together reach this
            probability; 1 among all. Default 0.9.
        min_p (float | None): Drop tokens less likely than this share of the likeliest one; 0
            drops none. Default 0.
        typical_p (float | None): Keep tokens that are about as surprising as expected, up to
            this probability; 1 keeps all. Default 1.
        repeat_last_n (int | None): Tokens to look back for repetitions; 0 does not look, -1 the
            whole context. Default 64.
        temperature (float | None): Randomness of the choice; 0 always takes the likeliest
            token. Default 0.8.
        repeat_penalty (float | None): Factor against tokens that occurred already; 1 is none.
            Default 1 (1.1 before v0.33).
        presence_penalty (float | None): Deducted once from a token that occurred already; below
            zero favours it. Default 0.
        frequency_penalty (float | None): Deducted from a token for each time it occurred; below
            zero favours it. Default 0.
        stop (list[str] | None): Texts at which the answer ends, not included in it. A list even
            for one.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int | None = None
    draft_num_predict: int | None = None
    num_keep: int | None = None
    seed: int | None = None
    num_predict: int | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_last_n: int | None = None
    temperature: float | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: list[str] | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.num_ctx = value = pop("num_ctx", None)
        if value is not None and type(value) is not int:
            self.num_ctx = read(integer, value, "num_ctx")
        self.num_batch = value = pop("num_batch", None)
        if value is not None and type(value) is not int:
            self.num_batch = read(integer, value, "num_batch")
        self.num_gpu = value = pop("num_gpu", None)
        if value is not None and type(value) is not int:
            self.num_gpu = read(integer, value, "num_gpu")
        self.main_gpu = value = pop("main_gpu", None)
        if value is not None and type(value) is not int:
            self.main_gpu = read(integer, value, "main_gpu")
        self.use_mmap = value = pop("use_mmap", None)
        if value is not None and type(value) is not bool:
            self.use_mmap = read(boolean, value, "use_mmap")
        self.num_thread = value = pop("num_thread", None)
        if value is not None and type(value) is not int:
            self.num_thread = read(integer, value, "num_thread")
        self.draft_num_predict = value = pop("draft_num_predict", None)
        if value is not None and type(value) is not int:
            self.draft_num_predict = read(integer, value, "draft_num_predict")
        self.num_keep = value = pop("num_keep", None)
        if value is not None and type(value) is not int:
            self.num_keep = read(integer, value, "num_keep")
        self.seed = value = pop("seed", None)
        if value is not None and type(value) is not int:
            self.seed = read(integer, value, "seed")
        self.num_predict = value = pop("num_predict", None)
        if value is not None and type(value) is not int:
            self.num_predict = read(integer, value, "num_predict")
        self.top_k = value = pop("top_k", None)
        if value is not None and type(value) is not int:
            self.top_k = read(integer, value, "top_k")
        self.top_p = value = pop("top_p", None)
        if value is not None and type(value) is not float:
            self.top_p = read(number, value, "top_p")
        self.min_p = value = pop("min_p", None)
        if value is not None and type(value) is not float:
            self.min_p = read(number, value, "min_p")
        self.typical_p = value = pop("typical_p", None)
        if value is not None and type(value) is not float:
            self.typical_p = read(number, value, "typical_p")
        self.repeat_last_n = value = pop("repeat_last_n", None)
        if value is not None and type(value) is not int:
            self.repeat_last_n = read(integer, value, "repeat_last_n")
        self.temperature = value = pop("temperature", None)
        if value is not None and type(value) is not float:
            self.temperature = read(number, value, "temperature")
        self.repeat_penalty = value = pop("repeat_penalty", None)
        if value is not None and type(value) is not float:
            self.repeat_penalty = read(number, value, "repeat_penalty")
        self.presence_penalty = value = pop("presence_penalty", None)
        if value is not None and type(value) is not float:
            self.presence_penalty = read(number, value, "presence_penalty")
        self.frequency_penalty = value = pop("frequency_penalty", None)
        if value is not None and type(value) is not float:
            self.frequency_penalty = read(number, value, "frequency_penalty")
        self.stop = value = pop("stop", None)
        if value is not None and not (type(value) is list and are_text(map(type, value))):
            self.stop = read(list_of(text), value, "stop")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {}
        if self.num_ctx is not None:
            data["num_ctx"] = self.num_ctx
        if self.num_batch is not None:
            data["num_batch"] = self.num_batch
        if self.num_gpu is not None:
            data["num_gpu"] = self.num_gpu
        if self.main_gpu is not None:
            data["main_gpu"] = self.main_gpu
        if self.use_mmap is not None:
            data["use_mmap"] = self.use_mmap
        if self.num_thread is not None:
            data["num_thread"] = self.num_thread
        if self.draft_num_predict is not None:
            data["draft_num_predict"] = self.draft_num_predict
        if self.num_keep is not None:
            data["num_keep"] = self.num_keep
        if self.seed is not None:
            data["seed"] = self.seed
        if self.num_predict is not None:
            data["num_predict"] = self.num_predict
        if self.top_k is not None:
            data["top_k"] = self.top_k
        if self.top_p is not None:
            data["top_p"] = self.top_p
        if self.min_p is not None:
            data["min_p"] = self.min_p
        if self.typical_p is not None:
            data["typical_p"] = self.typical_p
        if self.repeat_last_n is not None:
            data["repeat_last_n"] = self.repeat_last_n
        if self.temperature is not None:
            data["temperature"] = self.temperature
        if self.repeat_penalty is not None:
            data["repeat_penalty"] = self.repeat_penalty
        if self.presence_penalty is not None:
            data["presence_penalty"] = self.presence_penalty
        if self.frequency_penalty is not None:
            data["frequency_penalty"] = self.frequency_penalty
        if self.stop is not None:
            data["stop"] = self.stop
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data


class OptionsDict(TypedDict, total=False):
    """The fields of `Options` as keyword arguments or as a plain dict."""

    num_ctx: int
    """Size of the context window in tokens, prompt and answer together. Longer prompts are cut
    silently. Default: OLLAMA_CONTEXT_LENGTH, or else 4096 to 262144 by the GPU memory there is.
    Fewer than 4 count as 4.
    """
    num_batch: int
    """Tokens of a prompt that are processed at a time. Default 512, 2048 for embedding, more if
    memory allows.
    """
    num_gpu: int
    """Layers to put on the GPU; 0 is none, -1 as many as fit. Default -1."""
    main_gpu: int
    """Index of the GPU that does what is not split between several. Default the first."""
    use_mmap: bool
    """Map the model file into memory rather than read it. Default decided by the server."""
    num_thread: int
    """Threads to compute with on the CPU; 0 lets the server decide. Default 0."""
    draft_num_predict: int
    """Tokens that a draft model may guess ahead at a time; 0 switches guessing off. Default 4 for
    a model that has a draft model, otherwise 0. Since Ollama v0.30.0.
    """
    num_keep: int
    """Tokens at the start of the prompt that stay when a full context is shifted; -1 keeps the
    whole prompt. Default 4.
    """
    seed: int
    """Seed of the random numbers; the same seed, prompt and options repeat an answer. Default -1,
    random.
    """
    num_predict: int
    """Most tokens to generate; -1 until the model stops, -2 until the context is full. The server
    bounds both to a few times the context. Default -1.
    """
    top_k: int
    """Choose among the this many likeliest tokens; 0 or -1 among all. Default 40."""
    top_p: float
    """Choose among the likeliest tokens that together reach this probability; 1 among all. Default
    0.9.
    """
    min_p: float
    """Drop tokens less likely than this share of the likeliest one; 0 drops none. Default 0."""
    typical_p: float
    """Keep tokens that are about as surprising as expected, up to this probability; 1 keeps all.
    Default 1.
    """
    repeat_last_n: int
    """Tokens to look back for repetitions; 0 does not look, -1 the whole context. Default 64."""
    temperature: float
    """Randomness of the choice; 0 always takes the likeliest token. Default 0.8."""
    repeat_penalty: float
    """Factor against tokens that occurred already; 1 is none. Default 1 (1.1 before v0.33)."""
    presence_penalty: float
    """Deducted once from a token that occurred already; below zero favours it. Default 0."""
    frequency_penalty: float
    """Deducted from a token for each time it occurred; below zero favours it. Default 0."""
    stop: list[str]
    """Texts at which the answer ends, not included in it. A list even for one."""


@frozen(kw_only=True)
class OptionField:
    """What the spec says about one option.

    Attributes:
        name (str): Its name in a request.
        type (str): "integer", "number", "boolean", "string" or "array of string".
        minimum (float | None): The least value allowed.
        maximum (float | None): The greatest value allowed.
        description (str): What it does, in one paragraph.
    """

    name: str
    type: str
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""


OPTION_FIELDS: Final[dict[str, OptionField]] = {
    "num_ctx": OptionField(
        name="num_ctx",
        type="integer",
        minimum=1,
        description="Size of the context window in tokens, prompt and answer together. Longer prompts are cut silently. Default: OLLAMA_CONTEXT_LENGTH, or else 4096 to 262144 by the GPU memory there is. Fewer than 4 count as 4.",
    ),
    "num_batch": OptionField(
        name="num_batch",
        type="integer",
        minimum=1,
        description="Tokens of a prompt that are processed at a time. Default 512, 2048 for embedding, more if memory allows.",
    ),
    "num_gpu": OptionField(
        name="num_gpu",
        type="integer",
        minimum=-1,
        description="Layers to put on the GPU; 0 is none, -1 as many as fit. Default -1.",
    ),
    "main_gpu": OptionField(
        name="main_gpu",
        type="integer",
        minimum=0,
        description="Index of the GPU that does what is not split between several. Default the first.",
    ),
    "use_mmap": OptionField(
        name="use_mmap",
        type="boolean",
        description="Map the model file into memory rather than read it. Default decided by the server.",
    ),
    "num_thread": OptionField(
        name="num_thread",
        type="integer",
        minimum=0,
        description="Threads to compute with on the CPU; 0 lets the server decide. Default 0.",
    ),
    "draft_num_predict": OptionField(
        name="draft_num_predict",
        type="integer",
        minimum=0,
        description="Tokens that a draft model may guess ahead at a time; 0 switches guessing off. Default 4 for a model that has a draft model, otherwise 0. Since Ollama v0.30.0.",
    ),
    "num_keep": OptionField(
        name="num_keep",
        type="integer",
        minimum=-1,
        description="Tokens at the start of the prompt that stay when a full context is shifted; -1 keeps the whole prompt. Default 4.",
    ),
    "seed": OptionField(
        name="seed",
        type="integer",
        minimum=-2147483648,
        maximum=4294967295,
        description="Seed of the random numbers; the same seed, prompt and options repeat an answer. Default -1, random.",
    ),
    "num_predict": OptionField(
        name="num_predict",
        type="integer",
        minimum=-2,
        description="Most tokens to generate; -1 until the model stops, -2 until the context is full. The server bounds both to a few times the context. Default -1.",
    ),
    "top_k": OptionField(
        name="top_k",
        type="integer",
        minimum=-1,
        description="Choose among the this many likeliest tokens; 0 or -1 among all. Default 40.",
    ),
    "top_p": OptionField(
        name="top_p",
        type="number",
        minimum=0.0,
        maximum=1.0,
        description="Choose among the likeliest tokens that together reach this probability; 1 among all. Default 0.9.",
    ),
    "min_p": OptionField(
        name="min_p",
        type="number",
        minimum=0.0,
        maximum=1.0,
        description="Drop tokens less likely than this share of the likeliest one; 0 drops none. Default 0.",
    ),
    "typical_p": OptionField(
        name="typical_p",
        type="number",
        minimum=0.0,
        maximum=1.0,
        description="Keep tokens that are about as surprising as expected, up to this probability; 1 keeps all. Default 1.",
    ),
    "repeat_last_n": OptionField(
        name="repeat_last_n",
        type="integer",
        minimum=-1,
        description="Tokens to look back for repetitions; 0 does not look, -1 the whole context. Default 64.",
    ),
    "temperature": OptionField(
        name="temperature",
        type="number",
        minimum=0.0,
        description="Randomness of the choice; 0 always takes the likeliest token. Default 0.8.",
    ),
    "repeat_penalty": OptionField(
        name="repeat_penalty",
        type="number",
        minimum=0.0,
        description="Factor against tokens that occurred already; 1 is none. Default 1 (1.1 before v0.33).",
    ),
    "presence_penalty": OptionField(
        name="presence_penalty",
        type="number",
        minimum=-2.0,
        maximum=2.0,
        description="Deducted once from a token that occurred already; below zero favours it. Default 0.",
    ),
    "frequency_penalty": OptionField(
        name="frequency_penalty",
        type="number",
        minimum=-2.0,
        maximum=2.0,
        description="Deducted from a token for each time it occurred; below zero favours it. Default 0.",
    ),
    "stop": OptionField(
        name="stop",
        type="array of string",
        description="Texts at which the answer ends, not included in it. A list even for one.",
    ),
}
