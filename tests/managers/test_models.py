"""Listing, pulling, making, copying, deleting, loading models."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from manager import (
    APIError,
    BadRequestError,
    InvalidRequestError,
    ListModelResponse,
    ModelNotFoundError,
    ProcessModelResponse,
    ProgressResponse,
    ShownModel,
    StreamInterruptedError,
)

from .either import Heard, until

if TYPE_CHECKING:
    from pathlib import Path

    from manager.simulator.process import SimulatedServer

    from .either import Make


def new_name() -> str:
    return f"made-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF" + uuid.uuid4().bytes * 200_000)
    return path


async def names(m: Any) -> list[str]:
    return [entry.name for entry in await m.list_models()]


async def test_list(m: Any) -> None:
    models = await m.list_models()
    assert all(isinstance(entry, ListModelResponse) for entry in models)
    entry = next(entry for entry in models if entry.name == "simulated:latest")
    assert entry.size > 0
    assert re.fullmatch("[0-9a-f]{64}", entry.digest)
    assert entry.details.format == "gguf"
    assert entry.modified_at.tzinfo is not None


async def test_show_joins_size_and_digest(m: Any) -> None:
    shown = await m.show_model("simulated")
    entry = next(e for e in await m.list_models() if e.name == "simulated:latest")
    assert isinstance(shown, ShownModel)
    assert (shown.size, shown.digest) == (entry.size, entry.digest)
    assert shown.modified_at == entry.modified_at
    assert "completion" in shown.capabilities
    assert shown.model_info["general.architecture"]
    assert shown.to_dict()["digest"] == entry.digest


async def test_show_more(m: Any) -> None:
    brief = await m.show_model("simulated")
    full = await m.show_model("simulated", verbose=True)
    assert len(str(full.model_info)) > len(str(brief.model_info))


async def test_a_missing_model_is_explained(m: Any) -> None:
    for call in (
        m.show_model("simulatd"),
        m.chat("simulatd", "x"),
        m.generate("simulatd", "x"),
        m.embed("simulatd", "x"),
        m.chat("simulatd", "x", stream=True),
        m.delete_model("simulatd"),
        m.copy_model("simulatd", "other"),
        m.load_model("simulatd"),
        m.ensure_model("simulatd", pull=False),
    ):
        with pytest.raises(ModelNotFoundError) as caught:
            await call
        error = caught.value
        assert error.model == "simulatd"
        assert error.status_code == 404
        assert "simulated:latest" in error.suggestions
        assert "pull_model('simulatd')" in str(error)
        assert error.attempts == 1


async def test_has_model(m: Any) -> None:
    heard = Heard(m)
    assert await m.has_model("simulated") is True
    assert await m.has_model("SIMULATED:latest") is True
    assert await m.has_model("simulated:other") is False
    await heard.until("request.finished", 3)
    assert "request.failed" not in heard.names, "a no is an answer"


async def test_pull_reports_progress(m: Any) -> None:
    name, heard, lines = new_name(), Heard(m, "model.progress"), []
    last = await m.pull_model(name, on_progress=lines.append)
    assert isinstance(last, ProgressResponse)
    assert last.status == lines[-1].status == "success"
    assert lines[0].status == "pulling manifest"
    moved = [line for line in lines if line.completed]
    assert moved
    assert all(0 < line.completed <= line.total for line in moved)
    assert f"{name}:latest" in await names(m)
    await heard.until("model.progress", len(lines))
    assert [event.progress for event in heard.events] == lines
    assert {(event.model, event.operation) for event in heard.events} == {(name, "pull_model")}


async def test_pull_of_what_the_hub_does_not_have(m: Any) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        await m.pull_model("missing-model")
    assert caught.value.model == "missing-model"
    assert "file does not exist" in caught.value.message


async def test_a_listener_of_progress_that_raises_ends_the_pull(m: Any) -> None:
    def complain(_: ProgressResponse) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await m.pull_model(new_name(), on_progress=complain)
    assert await m.list_models(), "the manager works on"


async def test_ensure_model(m: Any) -> None:
    name, heard = new_name(), Heard(m, "request.finished")

    async def pulls_after(calls: int) -> int:
        await heard.until("request.finished", calls)
        return [event.endpoint for event in heard.events].count("POST /api/pull")

    await m.ensure_model(name)
    assert await m.has_model(name)
    assert await pulls_after(3) == 1
    await m.ensure_model(name)
    assert await pulls_after(4) == 1, "what is there is not pulled again"


async def test_create_from_a_model(m: Any) -> None:
    name, lines = new_name(), []
    last = await m.create_model(
        name,
        from_model="simulated",
        system="You are brief.",
        template="{{ .System }} {{ .Prompt }}",
        parameters={"temperature": 0.3, "num_ctx": 512},
        messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}],
        license=["MIT", "Apache"],
        on_progress=lines.append,
    )
    assert last.status == "success"
    assert lines
    shown = await m.show_model(name)
    assert shown.system == "You are brief."
    assert shown.template == "{{ .System }} {{ .Prompt }}"
    assert "num_ctx" in shown.parameters
    assert [message.content for message in shown.messages] == ["hi", "ho"]
    assert "Apache" in shown.license


async def test_create_from_a_file(m: Any, gguf: Path) -> None:
    name = new_name()
    content = gguf.read_bytes()  # noqa: ASYNC240
    await m.create_model(name, files=gguf)
    assert (await m.show_model(name)).size >= len(content)
    again = new_name()
    heard = Heard(m, "request.started")
    await m.create_model(again, files={"model.gguf": str(gguf)})
    assert await m.has_model(again)
    await until(lambda: any("create" in event.endpoint for event in heard.events))
    digest = hashlib.sha256(content).hexdigest()
    blobs = [event.endpoint for event in heard.events if digest in event.endpoint]
    assert len(blobs) == 1, f"what is there is not sent again: {blobs}"


async def test_create_with_an_adapter(m: Any, gguf: Path) -> None:
    name = new_name()
    await m.create_model(name, from_model="simulated", adapters=[gguf])
    assert await m.has_model(name)


async def test_create_errors(m: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await m.create_model(new_name(), files=tmp_path / "nowhere.gguf")
    assert caught.value.argument == "files"
    text = tmp_path / "no-model.gguf"
    text.write_text("this is no model")
    with pytest.raises(APIError, match="GGUF"):
        await m.create_model(new_name(), files=text)
    with pytest.raises(APIError, match="quantization"):
        await m.create_model(new_name(), from_model="simulated", quantize="q4_K_M")


async def test_copy_and_delete(m: Any) -> None:
    first, second = new_name(), new_name()
    await m.create_model(first, from_model="simulated")
    assert await m.copy_model(first, second) is None
    assert {f"{first}:latest", f"{second}:latest"} <= set(await names(m))
    assert await m.delete_model(first) is None
    assert not await m.has_model(first)
    assert await m.has_model(second)
    with pytest.raises(ModelNotFoundError):
        await m.delete_model(first)


async def test_push(m: Any) -> None:
    name = f"someone/{new_name()}"
    await m.create_model(name, from_model="simulated")
    lines: list[ProgressResponse] = []
    last = await m.push_model(name, on_progress=lines.append)
    assert last.status == "success"
    assert lines[0].status == "retrieving manifest"
    with pytest.raises(APIError, match="not authorized"):
        await m.push_model("simulated")


async def test_load_and_unload(m: Any) -> None:
    name = new_name()
    await m.create_model(name, from_model="simulated")
    await m.load_model(name, keep_alive="10m")
    running = {entry.name: entry for entry in await m.list_running()}
    entry = running[f"{name}:latest"]
    assert isinstance(entry, ProcessModelResponse)
    assert entry.expires_at.tzinfo is not None
    await m.unload_model(name)
    deadline = time.monotonic() + 20
    while f"{name}:latest" in [entry.name for entry in await m.list_running()]:
        assert time.monotonic() < deadline


async def test_a_model_that_only_embeds_can_be_loaded(m: Any) -> None:
    await m.load_model("simulated-embed")
    assert "simulated-embed:latest" in [entry.name for entry in await m.list_running()]


async def test_version(m: Any) -> None:
    assert await m.version() == m.status().version


async def test_a_pull_whose_server_goes(make: Make, managed: dict[str, Any]) -> None:
    managed["env"]["OLLAMA_SIMULATOR_PULL_SECONDS"] = "5"
    async with make(**managed, restart_initial_delay=0.01) as m:

        def kill(progress: ProgressResponse) -> None:
            if progress.completed:
                os.kill(m.status().pid, signal.SIGKILL)

        with pytest.raises(StreamInterruptedError) as caught:
            await m.pull_model("big", on_progress=kill)
        assert caught.value.model == "big"
        assert "goes on where it was" in str(caught.value)


async def test_the_servers_own_refusals(m: Any) -> None:
    with pytest.raises(BadRequestError):
        await m.create_model(new_name(), from_model="simulated", template="{{ .Prompt")


@pytest.mark.parametrize(
    "method",
    [
        "show_model",
        "pull_model",
        "push_model",
        "has_model",
        "ensure_model",
        "create_model",
        "delete_model",
        "load_model",
        "unload_model",
    ],
)
async def test_bad_names_send_nothing(make: Make, server: SimulatedServer, method: str) -> None:
    bad: list[Any] = ["", " ", "a b", "x:y:z", "a//b", "tab\t", "nul\0", 7, None]
    async with make(host=server.host) as m:
        heard = Heard(m)
        keywords = {"from_model": "simulated"} if method == "create_model" else {}
        for name in bad:
            with pytest.raises(InvalidRequestError) as caught:
                await getattr(m, method)(name, **keywords)
            assert caught.value.argument == "model_name", name
    assert heard.names == []
