"""Chat, generate and embed, answered at once."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any, TypedDict

import attrs
import pydantic
import pytest

from manager import (
    CapabilityError,
    ChatResponse,
    EmbedResponse,
    GenerateResponse,
    InvalidRequestError,
    Message,
    OutputParseError,
    Timeouts,
)

from .either import Heard

if TYPE_CHECKING:
    from pathlib import Path

    from manager.simulator.process import SimulatedServer

    from .either import Make

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}


@dataclasses.dataclass
class DataclassPerson:
    name: str
    age: int


@attrs.define
class AttrsPerson:
    name: str
    age: int


class DictPerson(TypedDict):
    name: str
    age: int


class PydanticPerson(pydantic.BaseModel):
    name: str
    age: int


async def test_a_text(m: Any) -> None:
    answer = await m.chat("simulated", "Good morning", think=False)
    assert isinstance(answer, ChatResponse)
    assert "You said: Good morning" in answer.message.content
    assert answer.message.role == "assistant"
    assert answer.message.thinking is None
    assert answer.message.tool_calls is None
    assert answer.done
    assert answer.done_reason == "stop"
    assert answer.eval_count > 0
    assert answer.created_at.tzinfo is not None


async def test_messages(m: Any) -> None:
    messages = [
        {"role": "user", "content": "one"},
        Message(role="assistant", content="two"),
        {"role": "user", "content": "three"},
    ]
    answer = await m.chat("simulated", messages, think=False)
    assert "You said: three" in answer.message.content
    longer = await m.chat("simulated", [*messages, answer.message, messages[0]], think=False)
    assert longer.prompt_eval_count > answer.prompt_eval_count


async def test_a_system_message(m: Any) -> None:
    plain = await m.chat("simulated", "hello")
    with_system = await m.chat("simulated", "hello", system="one two three four five six")
    assert with_system.prompt_eval_count >= plain.prompt_eval_count + 6
    with pytest.raises(InvalidRequestError) as caught:
        await m.chat("simulated", [{"role": "system", "content": "a"}], system="b")
    assert caught.value.argument == "system"


async def test_options(m: Any) -> None:
    cut = await m.chat("simulated", "write 50 words", num_predict=5, think=False)
    assert (cut.done_reason, cut.eval_count) == ("length", 5)
    same = await m.chat("simulated", "write 50 words", options={"num_predict": 5}, think=False)
    assert same.message.content == cut.message.content
    one = await m.chat("simulated", "hello", seed=1, temperature=0.2, num_ctx=512, think=False)
    two = await m.chat("simulated", "hello", seed=1, temperature=0.2, num_ctx=512, think=False)
    assert one.message.content == two.message.content


async def test_thinking(m: Any) -> None:
    answer = await m.chat("simulated", "hello", think=True)
    assert "simulated thinking" in answer.message.thinking
    assert "thinking" not in answer.message.content
    high = await m.chat("simulated", "hello", think="high")
    assert "high effort" in high.message.thinking
    with pytest.raises(CapabilityError):
        await m.chat("llama3.2:3b", "hello", think=True)


async def test_logprobs(m: Any) -> None:
    answer = await m.chat("simulated", "hello", logprobs=2, think=False)
    assert answer.logprobs
    assert answer.logprobs[0].logprob <= 0
    assert len(answer.logprobs[0].top_logprobs) == 2


async def test_tools(m: Any) -> None:
    answer = await m.chat("simulated", "The weather in Oslo, please", tools=[WEATHER])
    call = answer.message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert type(call.function.arguments) is dict
    assert call.function.arguments["city"] == "Oslo"
    assert isinstance(call.function.arguments["days"], int)
    reply = await m.chat(
        "simulated",
        [
            {"role": "user", "content": "The weather in Oslo, please"},
            answer.message,
            {"role": "tool", "content": "rain", "tool_name": "get_weather"},
        ],
        tools=[WEATHER],
        think=False,
    )
    assert "The tool returned: rain" in reply.message.content


async def test_a_function_as_tool(m: Any) -> None:
    def add_numbers(first: int, second: int) -> int:
        """Add two numbers.

        Args:
            first: One.
            second: Another.
        """
        return first + second

    answer = await m.chat("simulated", "use add_numbers", tools=[add_numbers])
    arguments = answer.message.tool_calls[0].function.arguments
    assert isinstance(add_numbers(**arguments), int)


async def test_format(m: Any) -> None:
    free = await m.chat("simulated", "hello", format="json")
    assert isinstance(json.loads(free.message.content), dict)
    bound = await m.chat("simulated", "hello", format=SCHEMA)
    assert set(json.loads(bound.message.content)) == {"name", "age"}
    typed = await m.chat("simulated", "hello", format=DataclassPerson)
    assert set(json.loads(typed.message.content)) == {"name", "age"}


@pytest.mark.parametrize("kind", [DataclassPerson, AttrsPerson, PydanticPerson])
async def test_parsed(m: Any, kind: Any) -> None:
    person = await m.chat_parsed("simulated", "Who?", kind, temperature=0)
    assert type(person) is kind
    assert isinstance(person.name, str)
    assert isinstance(person.age, int)


async def test_parsed_typed_dict(m: Any) -> None:
    person = await m.chat_parsed("simulated", "Who?", DictPerson, think=True)
    assert person.keys() == {"name", "age"}


async def test_parsed_but_cut_off(m: Any) -> None:
    with pytest.raises(OutputParseError) as caught:
        await m.chat_parsed("simulated", "Who?", DataclassPerson, num_predict=2, think=False)
    assert caught.value.text
    assert caught.value.model == "simulated"
    assert "num_predict" in str(caught.value)


async def test_images(m: Any, tmp_path: Path) -> None:
    path = tmp_path / "pixel.png"
    path.write_bytes(PIXEL)
    text = base64.b64encode(PIXEL).decode()
    for images, count in ((PIXEL, 1), (path, 1), (text, 1), ([PIXEL, path, text], 3)):
        answer = await m.chat("gemma3:1b", "What is it?", images=images)
        assert f"Images seen: {count}" in answer.message.content


async def test_keep_alive(m: Any) -> None:
    assert (await m.chat("simulated", "hello", keep_alive="1h")).done
    assert (await m.chat("simulated", "hello", keep_alive=300)).done


async def test_extra_body_and_options(m: Any) -> None:
    answer = await m.chat(
        "simulated", "hello", extra_body={"_debug_render_only": True}, extra_options={"new": 1}
    )
    assert "hello" in answer.debug_info.rendered_template


async def test_timeouts_that_do_not_pass(m: Any) -> None:
    for timeout in (30, None, Timeouts(total=60, connect=5), 1e12):
        assert (await m.chat("simulated", "hello", timeout=timeout)).done


async def test_generate(m: Any) -> None:
    answer = await m.generate("simulated", "Once upon a time", think=False, num_predict=20)
    assert isinstance(answer, GenerateResponse)
    assert "You said: Once upon" in answer.response
    assert answer.context
    again = await m.generate("simulated", "and then", context=answer.context, think=False)
    assert again.prompt_eval_count > answer.prompt_eval_count
    parsed = json.loads((await m.generate("simulated", "x", format=SCHEMA)).response)
    assert set(parsed) == {"name", "age"}
    assert (await m.generate("simulated", "a", suffix="b", raw=True, think=False)).done
    thoughtful = await m.generate("simulated", "x", think=True, system="s", logprobs=True)
    assert thoughtful.thinking
    assert thoughtful.logprobs
    assert "Images seen: 1" in (await m.generate("gemma3:1b", "x", images=PIXEL)).response


async def test_embed(m: Any) -> None:
    one = await m.embed("simulated-embed", "red")
    assert isinstance(one, EmbedResponse)
    several = await m.embed("simulated-embed", ["red", "blue"])
    assert len(one.embeddings) == 1
    assert one.embeddings[0] == several.embeddings[0] != several.embeddings[1]
    assert math.hypot(*one.embeddings[0]) == pytest.approx(1)
    small = await m.embed("simulated-embed", "red", dimensions=16, truncate=True)
    assert len(small.embeddings[0]) == 16


async def test_a_model_that_cannot(m: Any) -> None:
    with pytest.raises(CapabilityError) as caught:
        await m.chat("simulated-embed", "hello")
    assert caught.value.status_code == 400
    assert caught.value.endpoint == "POST /api/chat"


async def test_defaults_of_the_configuration(make: Make, server: SimulatedServer) -> None:
    defaults = {"think": False, "options": {"num_predict": 3}}
    async with make(host=server.host, defaults=defaults) as m:
        answer = await m.chat("simulated", "write 50 words")
        assert answer.eval_count == 3
        assert answer.message.thinking is None
        assert (await m.chat("simulated", "write 50 words", num_predict=4)).eval_count == 4


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "no model": ("chat", {"model_name": "", "prompt": "x"}, "model_name"),
    "prompt is no text": ("chat", {"prompt": 7}, "prompt"),
    "message without role": ("chat", {"prompt": [{"content": "x"}]}, "prompt"),
    "options twice": (
        "chat",
        {"prompt": "x", "seed": 1, "options": {"seed": 2}},
        "seed",
    ),
    "misspelt option": ("chat", {"prompt": "x", "temprature": 1}, "temprature"),
    "nan": ("chat", {"prompt": "x", "temperature": math.nan}, "temperature"),
    "wrong type": ("chat", {"prompt": "x", "num_ctx": "many"}, "num_ctx"),
    "tool": ("chat", {"prompt": "x", "tools": [{"type": "function"}]}, "tools"),
    "tool is no json": (
        "chat",
        {"prompt": "x", "tools": [{**WEATHER, "more": {1, 2}}]},
        "tools",
    ),
    "format": ("chat", {"prompt": "x", "format": "yaml"}, "format"),
    "think": ("chat", {"prompt": "x", "think": "hard"}, "think"),
    "keep_alive": ("chat", {"prompt": "x", "keep_alive": "soon"}, "keep_alive"),
    "images": ("chat", {"prompt": "x", "images": "?"}, "images"),
    "extra_body": ("chat", {"prompt": "x", "extra_body": {"stream": True}}, "extra_body"),
    "extra_body is no json": ("chat", {"prompt": "x", "extra_body": {"a": object()}}, "extra_body"),
    "no messages": ("chat", {"prompt": []}, "prompt"),
    "surrogate": ("chat", {"prompt": "\ud800"}, "prompt"),
    "timeout": ("chat", {"prompt": "x", "timeout": -1}, "timeout"),
    "timeouts": ("chat", {"prompt": "x", "timeout": Timeouts(total=0)}, "timeout"),
    "logprobs": ("chat", {"prompt": "x", "logprobs": 99}, "logprobs"),
    "stream": ("chat", {"prompt": "x", "stream": "yes"}, "stream"),
    "generate": ("generate", {"prompt": 7}, "prompt"),
    "context": ("generate", {"prompt": "x", "context": "abc"}, "context"),
    "embed": ("embed", {"text": 7}, "text"),
    "embed empty": ("embed", {"text": ["a", None]}, "text"),
    "dimensions": ("embed", {"text": "x", "dimensions": -1}, "dimensions"),
    "output type": ("chat_parsed", {"prompt": "x", "output_type": object()}, "output_type"),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_input_names_the_argument_and_sends_nothing(m: Any, case: str) -> None:
    method, keywords, argument = BAD[case]
    await m.list_models()
    heard = Heard(m)
    with pytest.raises(InvalidRequestError) as caught:
        await getattr(m, method)(**{"model_name": "simulated", **keywords})
    named = str(caught.value.argument)
    assert argument in named or argument in caught.value.message
    assert named, "the argument is named"
    await m.version()  # events come in order: of one before it would have been heard
    await heard.until("request.finished")
    assert {event.endpoint for event in heard.events} == {"GET /api/version"}
