from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_api.models.options import OPTION_FIELDS, Options

from manager.errors import InvalidRequestError
from manager.options import merge_options

ARGUMENTS = ("model_name", "prompt", "stream", "format", "think", "keep_alive", "timeout")


def refused(**arguments: object) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        merge_options(**arguments)  # type: ignore[arg-type]
    return caught.value


def test_nothing_given_is_nothing_sent() -> None:
    assert merge_options() is None
    assert merge_options({}, {}, {}) is None
    assert merge_options({"seed": None}, None, {"temperature": None}) is None
    assert merge_options(Options()) is None


def test_the_three_sources_are_merged() -> None:
    merged = merge_options({"num_ctx": 8192}, {"mirostat": 2}, {"temperature": 0, "stop": ["\n"]})
    assert merged == {"num_ctx": 8192, "temperature": 0, "stop": ["\n"], "mirostat": 2}


def test_a_record_is_taken_with_what_its_maker_passed_on() -> None:
    record = Options.from_dict({"top_k": 3, "brand_new": {"a": [1]}})
    assert merge_options(record) == {"top_k": 3, "brand_new": {"a": [1]}}
    assert record.top_k == 3


def test_none_is_not_set_and_so_not_given_twice() -> None:
    assert merge_options({"seed": 1}, None, {"seed": None}) == {"seed": 1}


def test_the_same_option_twice_is_refused() -> None:
    error = refused(options={"seed": 1}, option_kwargs={"seed": 1})
    assert error.message.startswith("seed is given twice")
    assert error.argument == "seed"


def test_an_extra_option_twice_is_refused() -> None:
    error = refused(options=Options.from_dict({"x": 1}), extra_options={"x": 1})
    assert error.message.startswith("x is given twice")


def test_a_known_option_in_extra_options_is_refused() -> None:
    error = refused(extra_options={"temperature": 0.1})
    assert error.argument == "extra_options.temperature"
    assert "temperature=" in str(error.hint)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("temprature", "temperature"),
        ("Temperature", "temperature"),
        ("num_ctxt", "num_ctx"),
        ("max_tokens", "num_predict"),
        ("streem", "stream"),
        ("keepalive", "keep_alive"),
        ("model", "model_name"),
        ("timeuot", "timeout"),
    ],
)
def test_a_misspelt_keyword_suggests_an_option_or_an_argument(name: str, right: str) -> None:
    error = refused(option_kwargs={name: 1}, arguments=ARGUMENTS)
    assert error.argument == name
    assert name in error.message
    assert f'"{right}"' in str(error.hint)
    assert "extra_options" in str(error.hint)


def test_a_misspelt_option_in_the_mapping_suggests_options_only() -> None:
    error = refused(options={"streem": True}, arguments=ARGUMENTS)
    assert error.argument == "options.streem"
    assert '"stream"' not in str(error.hint)
    assert "extra_options" in str(error.hint)
    assert "parameters" in refused(options={"tempp": 1}, argument="parameters").message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_ctx", True),
        ("num_ctx", 8192.0),
        ("num_ctx", "8192"),
        ("num_ctx", 0),
        ("num_ctx", -1),
        ("num_ctx", 2**63),
        ("seed", 2**32),
        ("temperature", True),
        ("temperature", "0.2"),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", -0.1),
        ("temperature", 10**400),
        ("temperature", 1j),
        ("top_p", 1.01),
        ("use_mmap", 1),
        ("use_mmap", "true"),
        ("stop", 3),
        ("stop", [3]),
        ("stop", ["a", ""]),
        ("stop", [None]),
        ("stop", b"x"),
        ("stop", {"a": 1}),
        ("stop", ["\ud800"]),
    ],
)
def test_ill_typed_and_out_of_range_values_are_refused(name: str, value: object) -> None:
    error = refused(option_kwargs={name: value})
    assert name in error.message
    assert str(error.argument).startswith(name)
    error = refused(options={name: value})
    assert f"options.{name}" in error.message


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), 0.5])
def test_numbers_of_other_libraries_are_plain_numbers_when_sent(value: float) -> None:
    merged = merge_options(None, None, {"temperature": value, "top_k": np.int64(3)})
    assert merged == {"temperature": 0.5, "top_k": 3}
    assert [type(item) for item in merged.values()] == [float, int]


def test_one_stop_text_is_a_list_of_one() -> None:
    assert merge_options({"stop": "END"}) == {"stop": ["END"]}
    assert merge_options({"stop": ("a", "b")}) == {"stop": ["a", "b"]}


@pytest.mark.parametrize("options", [[], "temperature", 3, [("seed", 1)], {1: 2}, {"": 1}])
def test_options_must_be_a_mapping_of_names(options: object) -> None:
    assert "options" in refused(options=options).message
    assert "extra_options" in refused(extra_options=options).message


def test_an_extra_option_that_is_no_json_is_refused() -> None:
    assert refused(extra_options={"x": [math.nan]}).argument == "extra_options.x[0]"


NUMBERS = st.floats() | st.integers()


@given(name=st.sampled_from(sorted(OPTION_FIELDS)), value=NUMBERS | st.booleans() | st.text())
def test_a_value_is_sent_within_its_type_and_range_or_refused(name: str, value: object) -> None:
    field = OPTION_FIELDS[name]
    try:
        merged = merge_options(None, None, {name: value})
    except InvalidRequestError as error:
        assert name in error.message  # noqa: PT017
        return
    assert merged is not None
    sent = merged[name]
    if field.type == "array of string":
        assert sent == [value]
        return
    assert sent == value
    assert isinstance(sent, bool) == (field.type == "boolean")
    if not isinstance(sent, bool):
        assert math.isfinite(sent)
        assert field.minimum is None or sent >= field.minimum
        assert field.maximum is None or sent <= field.maximum


@given(
    st.dictionaries(st.sampled_from(["top_k", "seed", "num_keep"]), st.integers(0, 99)),
    st.dictionaries(st.sampled_from(["top_k", "seed", "num_keep"]), st.integers(0, 99)),
)
def test_merging_is_union_unless_a_name_is_in_both(a: dict[str, int], b: dict[str, int]) -> None:
    if a.keys() & b.keys():
        assert refused(options=a, option_kwargs=b).argument in a.keys() & b.keys()
    else:
        assert (merge_options(a, None, b) or {}) == a | b


@pytest.mark.parametrize("name", ["num_ctx", "temperature", "seed", "stop"])
@pytest.mark.parametrize("value", [10**5000, -(10**5000)], ids=["large", "small"])
def test_absurd_numbers_are_refused_like_others(name: str, value: int) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        merge_options({name: value})
    with pytest.raises(InvalidRequestError, match="extra_options"):
        merge_options({}, {"new_option": value})
