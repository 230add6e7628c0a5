from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.errors import InvalidRequestError
from manager.names import (
    canonical_name,
    check_digest,
    check_model_name,
    closest_names,
    is_cloud_model,
    short_name,
)

LONG = "8" * 80
LONG_HOST = "3" * 350

# The cases of Ollama's own tests of its parser, defaults filled in as its server does.
VALID = [
    "_why/_the/_lucky:_stiff",
    "h/n/m:t",
    "host/namespace/model:tag",
    "host/namespace/model",
    "namespace/model",
    "model",
    f"{LONG}/{LONG}/{LONG}:{LONG}",
    f"{LONG_HOST}/{LONG}/{LONG}:{LONG}",
    "h/nn/mm:t",
    "m",
    "host:https/namespace/model:tag",
    "127.0.0.1:8080/library/tiny",
    "registry.ollama.ai/library/dolphin-mistral:7b-v2.6-dpo-laser-q6_K",
    "http://127.0.0.1:8080/library/tiny:latest",
    "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
    "gpt-oss:20b-cloud",
    "gpt-oss:cloud",
    "gpt-oss:20b:cloud",
    "llama3.2:3b:local",
]
INVALID = [
    "n/m:",
    "@t",
    "m@d",
    "^",
    "mm:",
    "/nn/mm",
    "//",
    "//mm",
    "hh//",
    "//mm:@",
    "00@",
    "@",
    "-hh/nn/mm:tt",
    "hh/-nn/mm:tt",
    "hh/nn/-mm:tt",
    "hh/nn/mm:-tt",
    "host/name:space/model:tag",
    "host/name.space/model",
    "a/b/c/d",
    "..",
    "../../etc/passwd",
    "m:t:t",
    ":t",
    "8" * 81,
    "m:" + "8" * 81,
    "8" * 81 + "/m",
    "3" * 351 + "/n/m",
    "modèle",
    "llama3\x00",
    "llama3\n",
    " llama3",
    "llama3 ",
    "lla ma3",
    "ftp://host/n/m",
    "://host/n/m",
    "m:cloud:local",
    "m:8b-cloud:cloud",
    "m::cloud",
    "",
    " ",
]


@pytest.mark.parametrize("name", VALID)
def test_valid_names_come_back_unchanged(name: str) -> None:
    assert check_model_name(name) == name


@pytest.mark.parametrize("name", INVALID)
def test_invalid_names_are_refused_with_the_argument_named(name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_model_name(name, argument="source")
    assert "source" in caught.value.message
    assert caught.value.argument == "source"
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", [None, 3, b"llama3", ["llama3"], object()])
def test_a_name_must_be_a_string(name: object) -> None:
    with pytest.raises(InvalidRequestError, match="model_name must be a string"):
        check_model_name(name)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("-h/n/m:t", "host"),
        ("h/n.n/m", "namespace"),
        ("h/n/-m", "model"),
        ("m:-t", "tag"),
        ("m:", "tag"),
    ],
)
def test_the_error_names_the_part(name: str, part: str) -> None:
    with pytest.raises(InvalidRequestError, match=part):
        check_model_name(name)


def test_a_source_suffix_is_only_read_where_a_model_is_used() -> None:
    assert check_model_name("gpt-oss:20b:cloud")
    with pytest.raises(InvalidRequestError, match="destination"):
        check_model_name("gpt-oss:20b:cloud", argument="destination", source_suffix=False)
    assert check_model_name("gpt-oss:cloud", source_suffix=False)


FIRST = "abzABZ019_"
part = st.text(FIRST + "-.", min_size=0, max_size=12)


def valid_part(text: str, extra: str) -> bool:
    return bool(re.fullmatch(rf"[A-Za-z0-9_][A-Za-z0-9_{re.escape(extra)}]*", text))


@given(
    host=st.none() | part,
    namespace=part,
    model=part,
    tag=st.none() | part,
    with_namespace=st.booleans(),
)
def test_a_name_is_valid_where_all_of_its_parts_are(
    host: str | None, namespace: str, model: str, tag: str | None, with_namespace: bool
) -> None:
    name, valid = model, valid_part(model, "-.")
    if with_namespace or host is not None:
        name, valid = f"{namespace}/{name}", valid and valid_part(namespace, "-")
    if host is not None:
        name, valid = f"{host}/{name}", valid and valid_part(host, "-.:")
    if tag is not None:
        name, valid = f"{name}:{tag}", valid and valid_part(tag, "-.")
    if valid:
        assert check_model_name(name) == name
    else:
        with pytest.raises(InvalidRequestError):
            check_model_name(name)


@given(st.text(max_size=40))
def test_any_text_is_taken_or_refused_and_what_is_taken_has_a_canonical_form(text: str) -> None:
    try:
        name = check_model_name(text)
    except InvalidRequestError as error:
        assert "model_name" in error.message  # noqa: PT017
    else:
        full = canonical_name(name)
        assert canonical_name(full) == full
        assert canonical_name(short_name(name)) == full


@pytest.mark.parametrize(
    ("name", "full", "short"),
    [
        ("llama3", "registry.ollama.ai/library/llama3:latest", "llama3:latest"),
        ("LLaMA3:8B", "registry.ollama.ai/library/llama3:8b", "llama3:8b"),
        ("me/x", "registry.ollama.ai/me/x:latest", "me/x:latest"),
        ("hf.co/Me/X:Q4", "hf.co/me/x:q4", "hf.co/me/x:q4"),
        ("host/library/m:t", "host/library/m:t", "host/library/m:t"),
        ("http://h:1/library/m", "h:1/library/m:latest", "h:1/library/m:latest"),
        ("gpt-oss:20b:cloud", "registry.ollama.ai/library/gpt-oss:20b-cloud", "gpt-oss:20b-cloud"),
        ("gpt-oss:cloud", "registry.ollama.ai/library/gpt-oss:cloud", "gpt-oss:cloud"),
        ("llama3:local", "registry.ollama.ai/library/llama3:latest", "llama3:latest"),
        ("llama3:8b:local", "registry.ollama.ai/library/llama3:8b", "llama3:8b"),
    ],
)
def test_canonical_and_short_names(name: str, full: str, short: str) -> None:
    assert canonical_name(name) == full
    assert short_name(name) == short


def test_closest_names_are_ordered_and_come_back_as_they_were() -> None:
    local = ["qwen3:4b", "llama3.2:3b", "Llama3.2:1b", "nomic-embed-text:latest"]
    assert closest_names("lama3.2:3b", local) == ["llama3.2:3b", "Llama3.2:1b"]
    assert closest_names("llama3.2", local)[:2] == ["llama3.2:3b", "Llama3.2:1b"]
    assert closest_names("nomic-embed", local) == ["nomic-embed-text:latest"]
    assert closest_names("zzz", local) == []
    assert closest_names("llama3.2:3b", local, limit=1) == ["llama3.2:3b"]
    assert closest_names("llama3", []) == []


def test_the_right_model_under_another_tag_comes_first() -> None:
    assert closest_names("llama3.2:70b", ["llava:70b", "llama3.2:3b"])[0] == "llama3.2:3b"


@pytest.mark.parametrize("name", ["gpt-oss:cloud", "gpt-oss:20b-cloud", "gpt-oss:20b:CLOUD"])
def test_cloud_models(name: str) -> None:
    assert is_cloud_model(name)


@pytest.mark.parametrize("name", ["cloud", "cloud/x", "gpt-oss:20b", "x-cloud", "h:1-cloud/n/m"])
def test_local_models(name: str) -> None:
    assert not is_cloud_model(name)


def test_digests_are_brought_into_the_form_that_the_server_compares() -> None:
    assert check_digest(f"sha256-{'AB' * 32}") == f"sha256:{'ab' * 32}"
    assert check_digest(f"sha256:{'0' * 64}") == f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha256:",
        "0" * 64,
        f"sha256:{'0' * 63}",
        f"sha512:{'0' * 64}",
        None,
        3,
        f"sha256:{'0' * 64}\n",
        f"sha256:{'g' * 64}",
    ],
)
def test_bad_digests_are_refused(digest: object) -> None:
    with pytest.raises(InvalidRequestError, match="blob"):
        check_digest(digest, argument="blob")
