"""Images that are read from files."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from manager import InvalidRequestError, Message

from .hostile_server import Hostile, chat_line, says
from .test_hostile import using

if TYPE_CHECKING:
    from pathlib import Path

    from .either import Make

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
COMPLETED = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "response": "", "done": True}


@dataclass
class Answer:
    word: str


class Watched:
    """A path that knows on which threads it was looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.threads: list[int] = []

    def __fspath__(self) -> str:
        self.threads.append(threading.get_ident())
        return str(self.path)


class WatchedFile(Watched):
    """The same as an open file."""

    def read(self) -> bytes:
        self.threads.append(threading.get_ident())
        return self.path.read_bytes()


@pytest.mark.parametrize("kind", [Watched, WatchedFile])
async def test_files_are_not_read_on_the_event_loop(
    make: Make, kind: type[Watched], tmp_path: Path
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(PICTURE)
    done = says(b'{"status":"success"}\n')
    answer = says(chat_line('{"word": "x"}', done=True))
    with Hostile(answer, answer, answer, says(json.dumps(COMPLETED).encode()), done) as server:
        async with using(make, server) as m:
            images = [kind(path) for _ in range(5)]
            await m.chat("m", "look", images=images[0])
            await m.chat("m", [{"role": "user", "content": "look", "images": [images[1]]}])
            await m.chat_parsed("m", "look", Answer, images=(PICTURE, images[2]))
            await m.generate("m", "look", images=[images[3]])
            spoken = {"role": "user", "content": "look", "images": [images[4]]}
            await m.create_model("n", from_model="m", messages=[spoken])
    for image in images:
        assert image.threads
        assert threading.get_ident() not in image.threads
    sent = [json.loads(body) for body in server.bodies]
    encoded = base64.b64encode(PICTURE).decode()
    assert [body["messages"][0]["images"][-1] for body in sent[:3]] == [encoded] * 3
    assert sent[3]["images"] == sent[4]["messages"][0]["images"] == [encoded]


async def test_a_file_that_is_not_there_is_refused(make: Make, tmp_path: Path) -> None:
    missing = tmp_path / "nothing.png"
    calls: list[dict[str, Any]] = [
        {"prompt": "look", "images": missing},
        {"prompt": [{"role": "user", "content": "look", "images": [missing]}]},
    ]
    with Hostile(says(b"")) as server:
        async with using(make, server) as m:
            for keywords in calls:
                with pytest.raises(InvalidRequestError) as caught:
                    await m.chat("m", **keywords)
                assert "cannot be read" in caught.value.message
            message = Message(role="user", content="look", images=["no base64"])
            with pytest.raises(InvalidRequestError):
                await m.chat("m", [message])
    assert server.requests == []
