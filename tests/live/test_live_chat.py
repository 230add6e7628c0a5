"""Chat, generate and embed on a real Ollama server."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import pydantic
import pytest

from manager import (
    APIError,
    CapabilityError,
    ChatResponse,
    InvalidRequestError,
    Message,
    OutputParseError,
    RequestTimeoutError,
    Timeouts,
)

from .processes import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from manager import AsyncOllamaManager, OllamaManager

SHORT: dict[str, Any] = {"num_predict": 12, "num_thread": 1, "num_ctx": 512, "seed": 3}


async def test_chat_answers_with_the_typed_response(m: Any) -> None:
    answer = await m.chat("tiny", "Why is the sky blue?", temperature=0.7, **SHORT)
    assert isinstance(answer, ChatResponse)
    assert answer.message.role == "assistant"
    assert answer.message.content
    assert answer.done
    assert answer.done_reason == "length"
    assert answer.eval_count == 12
    assert answer.prompt_eval_count
    assert answer.total_duration > answer.eval_duration > 0
    assert answer.created_at.tzinfo is not None


async def test_a_streamed_chat_says_what_a_plain_one_says(m: Any) -> None:
    plain = await m.chat("tiny", "Hello", temperature=0.7, **SHORT)
    async with await m.chat("tiny", "Hello", stream=True, temperature=0.7, **SHORT) as stream:
        chunks = [chunk async for chunk in stream]
        whole = await stream.final()
    assert len(chunks) > 2
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert "".join(chunk.message.content for chunk in chunks) == plain.message.content
    assert whole.message.content == plain.message.content
    assert (whole.done_reason, whole.eval_count) == ("length", 12)


async def test_the_text_and_the_partial_answer_of_a_stream(m: Any) -> None:
    async with await m.chat("tiny", "Hello", stream=True, **SHORT) as stream:
        assert stream.partial is None
        said = ""
        async for text in stream.text:
            said += text
            assert stream.partial.message.content == said
    assert (await stream.final()).message.content == said


async def test_generate_plain_and_streamed(m: Any) -> None:
    plain = await m.generate("tiny", "The sky is", raw=True, **SHORT)
    assert plain.response
    assert (plain.done_reason, plain.eval_count) == ("length", 12)
    async with await m.generate("tiny", "The sky is", raw=True, stream=True, **SHORT) as stream:
        said = "".join([text async for text in stream.text])
    assert said == plain.response


async def test_temperature_and_seed_reach_the_model(m: Any) -> None:
    async def say(**options: Any) -> str:
        answer = await m.chat("tiny", "Hello", **SHORT | options)
        return str(answer.message.content)

    coldest = await say(temperature=0, seed=1)
    assert coldest == await say(temperature=0, seed=2)
    hot = {await say(temperature=2.0, seed=seed) for seed in range(1, 5)}
    assert len(hot | {coldest}) > 2
    assert await say(temperature=2.0, seed=1) in hot


async def test_num_ctx_reaches_the_model(m: Any) -> None:
    await m.chat("tiny", "Hello", **SHORT | {"num_ctx": 640})
    running = {each.name: each.context_length for each in await m.list_running()}
    assert running["tiny:latest"] == 640


async def test_a_conversation_with_a_system_message(m: Any) -> None:
    conversation = [
        {"role": "user", "content": "Name a colour."},
        Message(role="assistant", content="Blue."),
        {"role": "user", "content": "Another one."},
    ]
    answer = await m.chat("tiny", conversation, system="You name colours.", **SHORT)
    alone = await m.chat("tiny", "Another one.", **SHORT)
    assert answer.prompt_eval_count > alone.prompt_eval_count


@dataclass
class City:
    name: Literal["Paris", "Rome"]
    inhabitants: int
    continent: Literal["Africa", "Asia", "Europe"]


class Colour(pydantic.BaseModel):
    red: bool
    green: bool


class Sky(TypedDict):
    blue: bool


@pytest.mark.parametrize("output_type", [City, Colour, Sky])
async def test_typed_output(m: Any, output_type: type) -> None:
    value = await m.chat_parsed(
        "tiny", "Answer.", output_type, num_predict=400, num_thread=1, num_ctx=512, seed=5
    )
    if output_type is Sky:
        assert set(value) == {"blue"}
    else:
        assert isinstance(value, output_type)
    if output_type is City:
        assert value.continent in ("Africa", "Asia", "Europe")


async def test_an_output_that_is_cut_off_does_not_fit_the_type(m: Any) -> None:
    with pytest.raises(OutputParseError) as caught:
        await m.chat_parsed("tiny", "Answer.", City, num_predict=25, num_thread=1, num_ctx=512)
    assert caught.value.text.strip().startswith("{")


async def test_format_is_enforced_in_a_stream_too(m: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    stream = await m.chat(
        "tiny", "Hi", stream=True, format=schema, **SHORT | {"num_predict": 60, "temperature": 0.0}
    )
    async with stream:
        text = (await stream.final()).message.content
    assert "".join(text.split()) in ('{"a":true}', '{"a":false}')


async def test_logprobs(m: Any) -> None:
    answer = await m.chat("tiny", "Hello", logprobs=2, **SHORT)
    assert len(answer.logprobs) == 12
    assert all(each.logprob <= 0 and len(each.top_logprobs) == 2 for each in answer.logprobs)


async def test_a_model_without_tools_refuses_tools(m: Any) -> None:
    def weather(city: str) -> str:
        """Say how the weather is.

        Args:
            city: Where.
        """
        return f"Sunny in {city}."

    with pytest.raises(CapabilityError, match="does not support tools") as caught:
        await m.chat("tiny", "How is the weather in Rome?", tools=[weather])
    assert caught.value.status_code == 400
    assert caught.value.model == "tiny"


async def test_a_model_that_cannot_think_refuses_to(m: Any) -> None:
    with pytest.raises(CapabilityError, match="does not support thinking"):
        await m.chat("tiny", "Hello", think=True)


async def test_a_wrong_option_is_refused_before_anything_is_sent(m: Any) -> None:
    sent: list[str] = []
    m.events.subscribe(lambda event: sent.append(event.endpoint), "request.started")
    with pytest.raises(InvalidRequestError, match="temperature"):
        await m.chat("tiny", "Hello", temperature="hot")
    with pytest.raises(InvalidRequestError, match="num_ctx") as misspelt:
        await m.chat("tiny", "Hello", num_ctxt=512)
    assert "num_ctxt" in str(misspelt.value)
    with pytest.raises(InvalidRequestError, match="temperature"):
        await m.chat("tiny", "Hello", temperature=1.0, options={"temperature": 1.0})
    await m.version()
    await until(lambda: sent)
    assert sent == ["GET /api/version"]


async def test_what_the_server_refuses_is_an_error_that_is_not_retried(m: Any) -> None:
    with pytest.raises(APIError) as caught:
        await m.generate("tiny", "Hello", template="{{ .Unclosed")
    assert (caught.value.attempts, caught.value.endpoint) == (1, "POST /api/generate")
    assert "template" in caught.value.message


async def test_default_options_of_the_configuration(
    new_manager: Callable[..., Any], shared: Mapping[str, Any]
) -> None:
    async with new_manager(**shared, defaults={"options": SHORT | {"num_predict": 2}}) as m:
        assert (await m.chat("tiny", "Hello")).eval_count == 2
        assert (await m.chat("tiny", "Hello", num_predict=3)).eval_count == 3


async def test_embeddings(m: Any) -> None:
    answer = await m.embed("tiny-embed", ["the sky", "the sea", "the sky"], num_thread=1)
    assert [len(vector) for vector in answer.embeddings] == [64, 64, 64]
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-3) for vector in answer.embeddings)
    sky, sea, again = answer.embeddings
    assert sky == pytest.approx(again, abs=1e-3)
    assert sky != pytest.approx(sea, abs=1e-3)
    one = await m.embed("tiny-embed", "the sky", num_thread=1)
    assert one.embeddings[0] == pytest.approx(sky, abs=1e-3)


async def test_embeddings_as_an_array(m: Any) -> None:
    array = await m.embed_array("tiny-embed", ["the sky", "the sea"], num_thread=1)
    assert (array.shape, str(array.dtype)) == ((2, 64), "float32")
    assert (await m.embed_array("tiny-embed", "the sky", dimensions=16, num_thread=1)).shape == (
        1,
        16,
    )


async def test_embedding_with_a_model_that_is_made_for_chat(
    m: Any, ollama_version: tuple[int, ...]
) -> None:
    if ollama_version < (0, 25):
        assert len((await m.embed("tiny", "the sky", num_thread=1)).embeddings[0]) == 64
    elif ollama_version >= (0, 33):
        with pytest.raises(CapabilityError) as caught:
            await m.embed("tiny", "the sky", num_thread=1)
        assert (caught.value.status_code, caught.value.attempts) == (501, 1)
    else:
        pytest.skip("not known which of the two this version does")


async def test_chat_with_a_model_that_is_made_for_embeddings(m: Any) -> None:
    with pytest.raises(CapabilityError, match="does not support chat"):
        await m.chat("tiny-embed", "Hello")


async def test_a_total_timeout_ends_an_answer(m: Any) -> None:
    with pytest.raises(RequestTimeoutError) as caught:
        await m.chat("slow", "Hello", num_predict=-1, num_thread=1, timeout=Timeouts(total=0.7))
    assert caught.value.timeout == "total"
    # the server has stopped generating: it has one slot only, and answers at once
    answer = await m.chat("slow", "Hello", num_predict=1, num_thread=1, timeout=15)
    assert answer.eval_count == 1


async def test_many_async_calls_at_once(async_m: AsyncOllamaManager) -> None:
    calls = [async_m.chat("tiny", f"Say {n}", num_predict=4, num_thread=1) for n in range(12)]
    assert [answer.eval_count for answer in await asyncio.gather(*calls)] == [4] * 12


def test_many_threads_at_once(sync_m: OllamaManager) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda n: sync_m.chat("tiny", f"Say {n}", num_predict=4, num_thread=1), range(12)
        )
        assert [answer.eval_count for answer in answers] == [4] * 12


def test_the_forms_of_the_readme(sync_m: OllamaManager) -> None:
    with sync_m.chat("tiny", "Hello", stream=True, num_predict=5, num_thread=1) as stream:
        said = "".join(stream.text)
        assert stream.final().message.content == said
    for chunk in sync_m.generate("tiny", "Hello", stream=True, num_predict=5, num_thread=1):
        assert isinstance(chunk.response, str)
