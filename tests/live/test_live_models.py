"""Making, listing, showing, moving and loading models on a real Ollama server."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from manager import APIError, InvalidRequestError, ModelNotFoundError, OllamaManagerError

from .processes import until
from .tiny_model import Size, write_tiny_model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from manager import ProgressResponse

    from .local_registry import LocalRegistry

FEW: dict[str, Any] = {"num_predict": 3, "num_thread": 1, "num_ctx": 512}


@pytest.fixture
async def mine(m: Any) -> AsyncIterator[str]:
    """A model that the test may do with as it likes."""
    await m.copy_model("tiny", "mine")
    yield "mine"
    if await m.has_model("mine"):
        await m.delete_model("mine")


async def test_create_from_a_file_with_everything(m: Any, gguf_files: dict[str, Path]) -> None:
    statuses: list[str] = []
    last = await m.create_model(
        "painter",
        files=gguf_files["tiny"],
        system="You name colours.",
        template="{{ .System }} {{ .Prompt }}",
        parameters={"num_predict": 4, "num_ctx": 512, "num_thread": 1, "stop": ["~~"]},
        messages=[
            {"role": "user", "content": "Grass?"},
            {"role": "assistant", "content": "Green."},
        ],
        license="None.",
        on_progress=lambda progress: statuses.append(progress.status),
    )
    assert last.status == "success"
    assert statuses[-1] == "success"
    assert len(statuses) > 2
    shown = await m.show_model("painter")
    assert shown.system == "You name colours."
    assert shown.template == "{{ .System }} {{ .Prompt }}"
    assert shown.license == "None."
    assert [message.content for message in shown.messages] == ["Grass?", "Green."]
    assert "num_predict" in shown.parameters
    assert (await m.chat("painter", "The sky?")).eval_count == 4
    await m.delete_model("painter")


async def test_create_from_another_model_and_from_named_files(
    m: Any, gguf_files: dict[str, Path]
) -> None:
    await m.create_model("derived", from_model="tiny", system="Be brief.")
    assert (await m.show_model("derived")).system == "Be brief."
    await m.create_model("named", files={"weights.gguf": gguf_files["tiny"]})
    assert (await m.show_model("named")).details.format == "gguf"
    for name in ("derived", "named"):
        await m.delete_model(name)


async def test_create_quantized(m: Any, gguf_files: dict[str, Path]) -> None:
    await m.create_model("small", files=[gguf_files["tiny"]], quantize="q8_0")
    assert (await m.show_model("small")).details.quantization_level == "Q8_0"
    assert (await m.show_model("small")).size < (await m.show_model("tiny")).size
    assert (await m.chat("small", "Hello", **FEW)).eval_count == 3
    await m.delete_model("small")


async def test_create_from_what_is_no_model(m: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="files"):
        await m.create_model("nothing", files=tmp_path / "missing.gguf")
    (tmp_path / "text.gguf").write_text("This is no model.")
    with pytest.raises(APIError):
        await m.create_model("nothing", files=tmp_path / "text.gguf")
    assert not await m.has_model("nothing")


async def test_list_and_show(m: Any, gguf_files: dict[str, Path]) -> None:
    listed = {model.name: model for model in await m.list_models()}
    assert {"tiny:latest", "slow:latest", "tiny-embed:latest"} <= set(listed)
    shown = await m.show_model("tiny")
    assert shown.digest == listed["tiny:latest"].digest
    assert len(shown.digest) == 64
    assert shown.size == listed["tiny:latest"].size >= gguf_files["tiny"].stat().st_size
    assert shown.modified_at.utcoffset() is not None
    assert abs(dt.datetime.now(dt.UTC) - shown.modified_at) < dt.timedelta(minutes=10)
    assert shown.details.family == "llama"
    assert shown.model_info["llama.embedding_length"] == 64
    assert "completion" in shown.capabilities
    assert "embedding" in (await m.show_model("tiny-embed")).capabilities


async def test_a_copy_is_the_same_model_and_goes_alone(m: Any, mine: str) -> None:
    assert (await m.show_model(mine)).digest == (await m.show_model("tiny")).digest
    await m.delete_model(mine)
    assert not await m.has_model(mine)
    assert await m.has_model("tiny")
    with pytest.raises(ModelNotFoundError):
        await m.delete_model(mine)


async def test_a_missing_model_is_named_with_what_is_close(m: Any) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        await m.chat("tinny", "Hello")
    assert caught.value.model == "tinny"
    assert caught.value.status_code == 404
    assert caught.value.suggestions[0] == "tiny:latest"
    assert "pull_model('tinny')" in caught.value.hint


@pytest.mark.parametrize(
    "call",
    ["show_model", "delete_model", "load_model", "unload_model", "embed", "generate", "copy_model"],
)
async def test_every_method_says_that_a_model_is_missing(m: Any, call: str) -> None:
    more = ("Hello",) if call in ("embed", "generate") else ()
    more = ("other",) if call == "copy_model" else more
    with pytest.raises(ModelNotFoundError):
        await getattr(m, call)("missing", *more)


async def test_has_and_ensure(m: Any) -> None:
    assert await m.has_model("tiny")
    assert not await m.has_model("missing")
    await m.ensure_model("tiny")
    with pytest.raises(ModelNotFoundError):
        await m.ensure_model("missing", pull=False)


@pytest.mark.parametrize("name", ["", "two words", "a/b/c/d/e", "tab\there", "-tiny"])
async def test_a_malformed_name_is_never_sent(m: Any, name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await m.chat(name, "Hello")
    assert caught.value.argument == "model_name"


async def test_load_and_unload(m: Any, mine: str) -> None:
    async def loaded() -> list[str]:
        return [model.name for model in await m.list_running()]

    await m.load_model(mine, keep_alive="10m")
    [running] = [model for model in await m.list_running() if model.name == "mine:latest"]
    left = running.expires_at - dt.datetime.now(dt.UTC)
    assert dt.timedelta(minutes=9) < left < dt.timedelta(minutes=11)
    assert running.size > 0
    await m.unload_model(mine)
    await until(lambda: _is_not_in("mine:latest", loaded))


async def _is_not_in(name: str, names: Any) -> bool:
    return name not in await names()


async def test_an_embedding_model_can_be_loaded(m: Any) -> None:
    await m.load_model("tiny-embed")
    assert "tiny-embed:latest" in [model.name for model in await m.list_running()]


async def test_keep_alive_of_a_call(m: Any, mine: str) -> None:
    """Models of the same file share a runner, which goes by the name that it was loaded with."""

    async def one_stays_for_ever() -> bool:
        years = [model.expires_at.year for model in await m.list_running()]
        return any(year > dt.datetime.now(dt.UTC).year + 10 for year in years)

    async def is_kept() -> bool:
        # a runner that is on its way out may be given this call, and end with it
        await m.chat(mine, "Hello", keep_alive=-1, **FEW)
        return await one_stays_for_ever()

    async def is_gone() -> bool:
        return not await one_stays_for_ever()

    await until(is_kept)
    await m.chat(mine, "Hello", keep_alive=0, **FEW)
    await until(is_gone)


async def test_push_and_pull(m: Any, mine: str, registry: LocalRegistry) -> None:
    remote = registry.name_of("mine")
    await m.copy_model(mine, remote)
    pushed: list[ProgressResponse] = []
    last = await m.push_model(remote, insecure=True, on_progress=pushed.append)
    assert last.status == "success"
    manifest = registry.manifests["library/mine:latest"]
    assert all(digest.encode() in manifest for digest in registry.blobs)
    assert any(each.digest and each.completed == each.total for each in pushed)

    for name in (remote, mine):
        await m.delete_model(name)
    assert not await m.has_model(remote)

    pulled: list[ProgressResponse] = []
    last = await m.pull_model(remote, insecure=True, on_progress=pulled.append)
    assert last.status == "success"
    assert pulled[0].status == "pulling manifest"
    assert pulled[-1].status == "success"
    assert any(each.digest and each.total and each.completed for each in pulled)
    assert (await m.show_model(remote)).digest == hashlib.sha256(manifest).hexdigest()
    assert (await m.chat(remote, "Hello", **FEW)).eval_count == 3
    await m.delete_model(remote)


async def test_pulling_what_downloads_something_shows_growing_progress(
    m: Any, registry: LocalRegistry, gguf_files: dict[str, Path], tmp_path: Path
) -> None:
    file = write_tiny_model(tmp_path / "new.gguf", Size(128, 4), seed=len(repr(m)))
    remote = registry.name_of("new")
    await m.create_model(remote, files=file)
    await m.push_model(remote, insecure=True)
    await m.delete_model(remote)
    seen: list[ProgressResponse] = []
    await m.pull_model(remote, insecure=True, on_progress=seen.append)
    largest = max(seen, key=lambda progress: progress.total or 0)
    done = [progress.completed or 0 for progress in seen if progress.digest == largest.digest]
    assert done == sorted(done)
    assert len(set(done)) > 2
    assert 1_000_000 < done[-1] <= largest.total
    await m.delete_model(remote)


async def test_pulling_what_the_registry_does_not_have(m: Any, registry: LocalRegistry) -> None:
    with pytest.raises(ModelNotFoundError):
        await m.pull_model(registry.name_of("missing"), insecure=True)


async def test_pushing_what_is_not_there(m: Any, registry: LocalRegistry) -> None:
    with pytest.raises(OllamaManagerError) as caught:
        await m.push_model(registry.name_of("missing"), insecure=True)
    assert isinstance(caught.value, APIError)


async def test_a_registry_that_is_not_there(m: Any) -> None:
    with pytest.raises(APIError, match="refused"):
        await m.pull_model("127.0.0.1:9/library/tiny", insecure=True)
