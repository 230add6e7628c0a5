"""The model store: list, show, copy, delete, pull, push, create, blobs, the account."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from .simulator_testing import USER, eventually, lines_of

if TYPE_CHECKING:
    import httpx

GGUF = b"GGUF" + b"\0" * 4000
DETAILS = {
    "parent_model", "format", "family", "families", "parameter_size", "quantization_level",
}  # fmt: skip


def names(client: httpx.Client) -> list[str]:
    return [model["name"] for model in client.get("/api/tags").json()["models"]]


def upload(client: httpx.Client, content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert client.post(f"/api/blobs/{digest}", content=content).status_code in (200, 201)
    return digest


def create(client: httpx.Client, name: str, **fields: Any) -> list[str]:
    response = client.post("/api/create", json={"model": name, **fields})
    assert response.status_code == 200, response.text
    return [line.get("status", line.get("error")) for line in lines_of(response)]


def show(client: httpx.Client, name: str, **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/api/show", json={"model": name, **fields}).json()
    return answer


class TestListAndShow:
    def test_the_list_has_what_a_real_one_has(self, start: Any) -> None:
        _, client = start()
        models = client.get("/api/tags").json()["models"]
        assert {model["name"] for model in models} == {
            "simulated:latest",
            "simulated-embed:latest",
        }
        for model in models:
            assert set(model) == {
                "name", "model", "modified_at", "size", "digest", "details", "capabilities",
            }  # fmt: skip
            assert set(model["details"]) == DETAILS | {"context_length", "embedding_length"}
            assert len(model["digest"]) == 64

    def test_show_tells_all(self, client: httpx.Client) -> None:
        answer = show(client, "simulated")
        assert set(answer) == {
            "license", "modelfile", "parameters", "template", "details", "model_info", "tensors",
            "capabilities", "modified_at",
        }  # fmt: skip
        assert set(answer["details"]) == DETAILS
        assert "simulated" in answer["license"]
        assert answer["model_info"]["tokenizer.ggml.tokens"] is None
        assert {"completion", "tools", "thinking"} <= set(answer["capabilities"])

    def test_verbose_gives_the_long_lists(self, client: httpx.Client) -> None:
        info = show(client, "simulated", verbose=True)["model_info"]
        assert isinstance(info["tokenizer.ggml.tokens"], list)

    @pytest.mark.parametrize(
        "name",
        ["plain", "plain:latest", "PLAIN", "library/plain", "plain:local", " plain ",
         "registry.ollama.ai/library/plain:latest"],
    )  # fmt: skip
    def test_a_model_has_many_names(self, client: httpx.Client, name: str) -> None:
        assert show(client, name)["details"]["family"] == "simulated"


class TestCopyAndDelete:
    def test_a_copy_is_a_model_of_its_own(self, start: Any) -> None:
        _, client = start()
        body = {"source": "simulated", "destination": "me/copy:v1"}
        response = client.post("/api/copy", json=body)
        assert (response.status_code, response.content) == (200, b"")
        assert names(client)[0] == "me/copy:v1"
        response = client.request("DELETE", "/api/delete", json={"model": "simulated"})
        assert (response.status_code, response.content) == (200, b"")
        assert "simulated:latest" not in names(client)
        body = {"model": "me/copy:v1", "messages": [USER]}
        assert client.post("/api/chat", json=body).status_code == 200


class TestPull:
    def test_it_reports_each_layer_and_the_model_is_there(self, start: Any) -> None:
        _, client = start()
        lines = lines_of(client.post("/api/pull", json={"model": "llama3.2:3b"}))
        assert lines[0] == {"status": "pulling manifest"}
        assert [line["status"] for line in lines[-3:]] == [
            "verifying sha256 digest",
            "writing manifest",
            "success",
        ]
        layers = [line for line in lines if "digest" in line]
        for line in layers:
            assert line["status"] == f"pulling {line['digest'][7:19]}"
            assert 0 <= line.get("completed", 0) <= line["total"]
        digests = dict.fromkeys(line["digest"] for line in layers)
        assert len(digests) > 2
        for digest in digests:
            of_layer = [line for line in layers if line["digest"] == digest]
            done = [line.get("completed", 0) for line in of_layer]
            assert done == sorted(done)
            assert done[-1] == of_layer[0]["total"]
        assert "llama3.2:3b" in names(client)

    @pytest.mark.parametrize("name", ["missing", "no-such-model", "me/missing-thing:1b"])
    def test_what_the_hub_has_not_is_an_error_line(self, client: httpx.Client, name: str) -> None:
        response = client.post("/api/pull", json={"model": name})
        assert response.status_code == 200
        assert lines_of(response) == [
            {"status": "pulling manifest"},
            {"error": "pull model manifest: file does not exist"},
        ]
        whole = client.post("/api/pull", json={"model": name, "stream": False})
        assert whole.status_code == 500
        assert whole.headers["content-type"] == "application/json"

    def test_without_a_stream_only_the_end_is_told(self, start: Any) -> None:
        _, client = start()
        response = client.post("/api/pull", json={"name": "mistral", "stream": False})
        assert (response.status_code, response.json()) == (200, {"status": "success"})

    def test_it_takes_its_time(self, start: Any) -> None:
        _, client = start(pull_seconds=0.4)
        started = time.monotonic()
        client.post("/api/pull", json={"model": "mistral"}).raise_for_status()
        assert time.monotonic() - started >= 0.4

    def test_a_broken_off_pull_goes_on_where_it_was(self, start: Any) -> None:
        _, client = start(pull_seconds=2)
        reached = 0
        with client.stream("POST", "/api/pull", json={"model": "mistral"}) as response:
            for line in response.iter_lines():
                reached = json.loads(line).get("completed", 0)
                if reached:
                    break
        assert "mistral:latest" not in names(client)

        def first_of_next() -> int:
            with client.stream("POST", "/api/pull", json={"model": "mistral"}) as response:
                lines = (json.loads(line) for line in response.iter_lines())
                first: dict[str, Any] = next(line for line in lines if "digest" in line)
                return int(first.get("completed", 0))

        assert first_of_next() >= reached > 0

    def test_a_second_pull_finds_everything_there(self, start: Any) -> None:
        _, client = start(pull_seconds=0.2)
        client.post("/api/pull", json={"model": "mistral"}).raise_for_status()
        lines = lines_of(client.post("/api/pull", json={"model": "mistral"}))
        layers = [line for line in lines if "digest" in line]
        assert all(line["completed"] == line["total"] for line in layers)

    @pytest.mark.parametrize(
        ("name", "capability"),
        [("nomic-embed-text", "embedding"), ("llava", "vision"), ("qwen3:8b", "thinking"),
         ("codellama", "insert"), ("llama3.2", "tools")],
    )  # fmt: skip
    def test_the_name_tells_what_a_model_can_do(
        self, client: httpx.Client, name: str, capability: str
    ) -> None:
        client.post("/api/pull", json={"model": name}).raise_for_status()
        assert capability in show(client, name)["capabilities"]


class TestPush:
    def test_to_a_namespace_of_ones_own(self, start: Any) -> None:
        _, client = start(models=["me/model"])
        lines = lines_of(client.post("/api/push", json={"model": "me/model"}))
        assert lines[0] == {"status": "retrieving manifest"}
        assert any(line["status"].startswith("pushing ") and "digest" in line for line in lines)
        assert [line["status"] for line in lines[-2:]] == ["pushing manifest", "success"]

    def test_to_the_library_is_forbidden(self, client: httpx.Client) -> None:
        lines = lines_of(client.post("/api/push", json={"model": "plain"}))
        assert "not authorized" in lines[-1]["error"]

    def test_what_is_not_there(self, client: httpx.Client) -> None:
        lines = lines_of(client.post("/api/push", json={"model": "nope"}))
        assert [line.get("status") for line in lines] == [
            "retrieving manifest", "couldn't retrieve manifest", None,
        ]  # fmt: skip
        assert "no such file or directory" in lines[-1]["error"]


class TestBlobs:
    def test_an_uploaded_blob_is_there(self, client: httpx.Client) -> None:
        digest = f"sha256:{hashlib.sha256(b'uploaded').hexdigest()}"
        assert client.head(f"/api/blobs/{digest}").status_code == 404
        assert client.post(f"/api/blobs/{digest}", content=b"uploaded").status_code == 201
        assert client.post(f"/api/blobs/{digest}", content=b"uploaded").status_code == 200
        response = client.head(f"/api/blobs/{digest}")
        assert (response.status_code, response.content) == (200, b"")

    def test_a_wrong_digest_is_refused(self, client: httpx.Client) -> None:
        digest = f"sha256:{'1' * 64}"
        response = client.post(f"/api/blobs/{digest}", content=b"content")
        assert response.status_code == 400
        assert response.json()["error"].startswith(f'digest mismatch, expected "{digest}"')
        assert client.head(f"/api/blobs/{digest}").status_code == 404

    def test_a_large_blob_may_come_in_chunks(self, client: httpx.Client) -> None:
        pieces = [bytes([n]) * 100_000 for n in range(30)]
        digest = f"sha256:{hashlib.sha256(b''.join(pieces)).hexdigest()}"
        response = client.post(f"/api/blobs/{digest}", content=iter(pieces))
        assert response.status_code == 201


class TestCreate:
    def test_from_a_model_with_everything(self, start: Any) -> None:
        _, client = start()
        statuses = create(
            client, "mine", **{"from": "simulated"}, system="Be kind", template="{{ .Prompt }}",
            parameters={"temperature": 0.2, "stop": ["a", "b"]}, license=["MIT"],
            messages=[{"role": "user", "content": "hello"}],
        )  # fmt: skip
        assert statuses[0].startswith("using existing layer sha256:")
        assert any(status.startswith("creating new layer sha256:") for status in statuses)
        assert statuses[-2:] == ["writing manifest", "success"]
        answer = show(client, "mine")
        assert answer["system"] == "Be kind"
        assert answer["template"] == "{{ .Prompt }}"
        assert answer["license"] == "MIT"
        assert answer["messages"] == [{"role": "user", "content": "hello"}]
        assert answer["details"]["parent_model"] == "simulated:latest"
        assert 'stop                           "b"' in answer["parameters"]
        assert "temperature                    0.2" in answer["parameters"]
        assert "SYSTEM Be kind" in answer["modelfile"]

    def test_the_parameters_of_the_model_hold(self, start: Any) -> None:
        _, client = start()
        create(client, "short", **{"from": "simulated"}, parameters={"num_predict": 2})
        body = {"model": "short", "messages": [USER], "stream": False}
        assert client.post("/api/chat", json=body).json()["eval_count"] == 2

    def test_the_same_again_uses_what_is_there(self, start: Any) -> None:
        _, client = start()
        create(client, "mine", **{"from": "simulated"}, system="Be kind")
        again = create(client, "mine", **{"from": "simulated"}, system="Be kind")
        assert not any(status.startswith("creating") for status in again)

    def test_from_files(self, start: Any) -> None:
        _, client = start()
        digest = upload(client, GGUF)
        statuses = create(client, "file", files={"model.gguf": digest})
        assert statuses[0] == "parsing GGUF"
        assert statuses[1] == f"using existing layer {digest}"
        body = {"model": "file", "messages": [USER]}
        assert client.post("/api/chat", json=body).status_code == 200

    def test_a_gguf_is_known_by_its_content(self, start: Any) -> None:
        _, client = start()
        assert create(client, "file", files={"model": upload(client, GGUF)})[-1] == "success"
        digest = upload(client, b"something else")
        lines = create(client, "other", files={"model.gguf": digest})
        assert lines == ["parsing GGUF", "supplied file was not in GGUF format"]

    def test_a_blob_that_was_never_uploaded(self, client: httpx.Client) -> None:
        lines = create(client, "file", files={"a.gguf": f"sha256:{'2' * 64}"})
        assert lines[-1].endswith("no such file or directory")

    def test_a_model_that_is_not_there_is_pulled(self, start: Any) -> None:
        _, client = start()
        statuses = create(client, "mine", **{"from": "mistral"})
        assert statuses[0] == "pulling manifest"
        assert statuses[-1] == "success"
        assert {"mine:latest", "mistral:latest"} <= set(names(client))
        assert create(client, "mine", **{"from": "missing"})[-1] == (
            "pull model manifest: file does not exist"
        )

    def test_without_a_stream(self, start: Any) -> None:
        _, client = start()
        body = {"model": "mine", "from": "simulated", "stream": False}
        response = client.post("/api/create", json=body)
        assert (response.status_code, response.json()) == (200, {"status": "success"})

    def test_from_safetensors_quantized_and_described(self, start: Any) -> None:
        _, client = start()
        files = {"config.json": upload(client, b"{}"), "a.safetensors": upload(client, b"x" * 99)}
        info = {"context_length": 99, "model_family": "fam", "capabilities": ["tools", "vision"]}
        statuses = create(client, "st", files=files, quantize="q8_0", info=info)
        assert statuses[0] == "converting model"
        answer = show(client, "st")
        assert answer["details"]["quantization_level"] == "Q8_0"
        assert answer["model_info"]["fam.context_length"] == 99
        assert "vision" in answer["capabilities"]

    def test_one_gguf_adapter_at_most(self, start: Any) -> None:
        _, client = start()
        digest = upload(client, GGUF)
        adapters = {"a.gguf": digest, "b.gguf": digest}
        response = client.post(
            "/api/create", json={"model": "x", "from": "simulated", "adapters": adapters}
        )
        assert (response.status_code, response.json()["error"]) == (
            400, "only one adapter is currently supported",
        )  # fmt: skip

    def test_adapters_become_layers(self, start: Any) -> None:
        _, client = start()
        digest = upload(client, GGUF)
        statuses = create(client, "tuned", **{"from": "simulated"}, adapters={"a.gguf": digest})
        assert f"using existing layer {digest}" in statuses


class TestCloud:
    CLOUD = "gpt-oss:20b-cloud"

    def test_a_stub_can_be_pulled_but_nobody_is_signed_in(self, start: Any) -> None:
        _, client = start()
        client.post("/api/pull", json={"model": self.CLOUD}).raise_for_status()
        (model,) = (m for m in client.get("/api/tags").json()["models"] if m["name"] == self.CLOUD)
        assert model["remote_model"] == "gpt-oss:20b"
        assert model["remote_host"].startswith("https://ollama.com")
        assert model["details"]["families"] is None
        response = client.post("/api/chat", json={"model": self.CLOUD, "messages": [USER]})
        assert response.status_code == 401
        assert response.json()["signin_url"].startswith("https://ollama.com/connect?")

    def test_without_the_cloud_it_is_forbidden(self, start: Any) -> None:
        _, client = start(env={"OLLAMA_NO_CLOUD": "1"})
        assert client.get("/api/status").json() == {"cloud": {"disabled": True, "source": "env"}}
        response = client.post("/api/chat", json={"model": self.CLOUD, "messages": [USER]})
        assert response.status_code == 403
        assert response.json()["error"].startswith("ollama cloud is disabled: ")

    def test_who_is_signed_in_can_use_it_until_signing_out(self, start: Any) -> None:
        _server, client = start(env={"OLLAMA_SIMULATOR_USER": "ada"})
        user = client.post("/api/me").json()
        assert (user["name"], user["plan"]) == ("ada", "free")
        lines = lines_of(client.post("/api/chat", json={"model": self.CLOUD, "messages": [USER]}))
        assert lines[-1]["done"] is True
        assert lines[0]["remote_model"] == "gpt-oss:20b"
        assert show(client, self.CLOUD)["remote_host"]
        response = client.post(
            "/api/experimental/web_search", json={"query": "cats", "max_results": 2}
        )
        assert len(response.json()["results"]) == 2
        page = client.post("/api/experimental/web_fetch", json={"url": "https://example.com"})
        assert "simulated" in page.json()["content"]
        signout = client.post("/api/signout")
        assert (signout.status_code, signout.json()) == (200, None)
        assert client.post("/api/me").status_code == 401

    def test_recommendations_need_nobody(self, client: httpx.Client) -> None:
        (first, *_) = client.get("/api/experimental/model-recommendations").json()[
            "recommendations"
        ]
        assert {"model", "description"} <= set(first)


def test_many_may_change_the_store_at_once(start: Any) -> None:
    _, client = start()

    def use(number: int) -> None:
        body = {"source": "simulated", "destination": f"copy{number}"}
        client.post("/api/copy", json=body).raise_for_status()
        client.get("/api/tags").raise_for_status()
        client.request("DELETE", "/api/delete", json={"model": f"copy{number}"}).raise_for_status()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(40)))
    assert eventually(lambda: len(names(client)) == 2)
