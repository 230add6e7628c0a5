"""A program under uWSGI, where `sys.executable` is `uwsgi`."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..managers.either import PATIENCE
from ..ports import free_port
from ..process.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from .guarded import Guarded

PROGRAM = """
import json, os, sys
from manager import OllamaManager, OllamaManagerError

with open(os.environ["STARTS"], "a") as file:
    file.write(json.dumps(sys.argv) + "\\n")
m = OllamaManager()

def application(environ, start_response):
    try:
        if environ["PATH_INFO"] == "/close":
            m.close()
            said = {}
        else:
            m.start_server()
            said = {"models": len(m.list_models())}
        said["executable"] = sys.executable
    except OllamaManagerError as error:
        said = error.to_dict()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(said).encode()]
"""


def get(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=60) as answer:
            return json.load(answer)
    except ConnectionError:
        return None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            return None
        raise


@pytest.mark.parametrize("options", [[], ["--enable-threads", "--master"]])
def test_the_python_of_its_prefix_runs_the_supervisor(
    start: Callable[..., Guarded], tmp_path: Path, options: list[str]
) -> None:
    uwsgi = Path(sys.executable).with_name("uwsgi")
    if not uwsgi.exists():
        pytest.skip("uWSGI is not installed: `make frozen`")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    address = f"127.0.0.1:{free_port()}"
    words = [uwsgi, "--http-socket", address, "--wsgi-file", program, "--die-on-term", *options]
    run = start(*words)
    said = eventually(lambda: get(f"http://{address}/"), "it answers", PATIENCE)
    assert said.get("models", 0) > 0, said
    assert Path(said["executable"]).name == "uwsgi"
    assert get(f"http://{address}/close").keys() == {"executable"}
    run.process.terminate()
    run.ended()
    assert len(run.starts) == 1
    eventually(lambda: not run.alive(), "all of it is gone", PATIENCE)
