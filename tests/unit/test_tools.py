from __future__ import annotations

import enum
import functools
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import pydantic
import pytest
from ollama_api.models import Tool

from manager.errors import InvalidRequestError
from manager.tool_functions import tool_from_function
from manager.tools import build_tools


@dataclass
class Spot:
    city: str
    country: str = "CH"


class Window(TypedDict):
    days: int


class Place(pydantic.BaseModel):
    name: str


def get_weather(
    spot: Spot,
    unit: Literal["C", "F"],
    window: Window,
    place: Place,
    hours: list[int] | None = None,
    factor: int | float = 1,
    lang: Annotated[str, "ISO code"] = "en",
    *,
    exact: bool = False,
) -> str:
    """Tell the weather.

    Of one place only.

    Args:
        spot: Where.
        unit (str): Celsius or
            Fahrenheit.
        hours: Hours of the day: 0 to 23.
        lang: Not this one.

    Returns:
        unit: A text.
    """
    raise NotImplementedError


def built(*tools: object) -> list[dict[str, Any]]:
    return [tool.to_dict() for tool in build_tools(list(tools)) or []]


def refused(*tools: object) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError, match="tools") as caught:
        build_tools(list(tools))
    return caught.value


def test_a_function_becomes_a_tool() -> None:
    assert built(get_weather) == [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Tell the weather.\n\nOf one place only.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "spot": {
                            "type": "object",
                            "properties": {
                                "city": {"type": "string"},
                                "country": {"type": "string", "default": "CH"},
                            },
                            "required": ["city"],
                            "description": "Where.",
                        },
                        "unit": {
                            "type": "string",
                            "enum": ["C", "F"],
                            "description": "Celsius or Fahrenheit.",
                        },
                        "window": {
                            "type": "object",
                            "properties": {"days": {"type": "integer"}},
                            "required": ["days"],
                        },
                        "place": {
                            "type": "object",
                            "properties": {"name": {"type": "string"}},
                            "required": ["name"],
                        },
                        "hours": {
                            "type": "array",
                            "items": {"type": "integer"},
                            "description": "Hours of the day: 0 to 23.",
                        },
                        "factor": {"anyOf": [{"type": "integer"}, {"type": "number"}]},
                        "lang": {"type": "string", "description": "ISO code"},
                        "exact": {"type": "boolean"},
                    },
                    "required": ["spot", "unit", "window", "place"],
                },
            },
        }
    ]


def test_methods_coroutines_and_wrappers_are_functions_too() -> None:
    class Clock:
        def now(self, zone: str) -> str:
            """Tell the time."""
            return zone

    async def later(seconds: float) -> None:
        """Wait."""

    @functools.wraps(later)
    async def wrapper(*args: Any, **kwargs: Any) -> None: ...

    assert built(Clock().now)[0]["function"]["parameters"] == {
        "type": "object",
        "properties": {"zone": {"type": "string"}},
        "required": ["zone"],
    }
    assert built(later)[0] == built(wrapper)[0]
    assert built(later)[0]["function"]["name"] == "later"


def test_a_function_without_parameters_or_docstring_is_a_tool() -> None:
    def ping() -> None: ...

    assert tool_from_function(ping) == {
        "type": "function",
        "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}},
    }


def test_schemas_are_put_in_the_words_that_the_server_keeps() -> None:
    def f(one: Literal["x"], mode: Place | int) -> None: ...

    properties = tool_from_function(f)["function"]["parameters"]["properties"]
    assert properties["one"] == {"type": "string", "enum": ["x"]}
    assert [choice["type"] for choice in properties["mode"]["anyOf"]] == ["object", "integer"]


class Observatory:
    def watch(self, hours: int) -> None: ...


def no_annotation(city, unit: str) -> None:  # type: ignore[no-untyped-def]
    """Lack one."""


def variadic(*cities: str) -> None: ...


def keywords(**cities: str) -> None: ...


def positional(city: str, /) -> None: ...


class Opaque:
    def __init__(self, value: int) -> None: ...


def no_schema(city: Opaque) -> None: ...


def unresolved(city: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (Observatory.watch, ["self", "watch"]),
        (no_annotation, ["city", "no_annotation", "annotation"]),
        (variadic, ["cities", "variadic"]),
        (keywords, ["cities", "keywords"]),
        (positional, ["city", "positional"]),
        (no_schema, ["city", "no_schema"]),
        (unresolved, ["unresolved", "Missing"]),
        (lambda: None, ["lambda"]),
        (functools.partial(get_weather), ["partial"]),
        (Spot, ["Spot"]),
        (3, ["int"]),
        ("get_weather", ["str"]),
        (None, ["NoneType"]),
    ],
)
def test_functions_that_cannot_be_described_are_refused(function: object, words: list[str]) -> None:
    error = refused(get_weather, function)
    assert str(error.argument) == "tools[1]"
    assert all(word in error.message for word in ["tools[1]", *words])
    assert error.hint


def test_a_method_without_its_object_is_no_tool() -> None:
    assert "the_object.watch" in str(refused(get_weather, Observatory.watch).hint)
    assert build_tools([Observatory().watch])


GOOD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": ["integer", "null"]}},
            "required": ["a"],
        },
    },
}


def test_dicts_and_records_pass() -> None:
    assert built(GOOD) == [GOOD]
    assert built(Tool.from_dict(GOOD)) == [GOOD]


def test_what_is_missing_but_clear_is_filled_in() -> None:
    assert built({"function": {"name": "ping"}}) == [
        {
            "type": "function",
            "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}},
        }
    ]


def test_the_callers_dict_is_not_changed() -> None:
    tool: dict[str, Any] = {"function": {"name": "ping", "parameters": {}}}
    build_tools([tool])
    assert tool == {"function": {"name": "ping", "parameters": {}}}


def test_unknown_keys_pass_unless_they_are_misspelt() -> None:
    tool = {"type": "function", "strict": True, "function": {"name": "ping"}}
    assert built(tool)[0]["strict"] is True
    error = refused({"type": "function", "function": {"name": "ping", "parametres": {}}})
    assert error.argument == "tools[0].function.parametres"
    assert '"parameters"' in str(error.hint)


@pytest.mark.parametrize(
    ("tool", "place"),
    [
        ({}, "tools[0]"),
        ({"name": "add", "parameters": {}}, "tools[0]"),
        ({"type": "functon", "function": {"name": "a"}}, "tools[0].type"),
        ({"type": "function", "function": "add"}, "tools[0]"),
        ({"type": "function", "function": {}}, "tools[0].function.name"),
        ({"type": "function", "function": {"name": 3}}, "tools[0].function.name"),
        ({"type": "function", "function": {"name": "a b"}}, "tools[0].function.name"),
        ({"function": {"name": "a", "description": 3}}, "tools[0].function.description"),
        ({"function": {"name": "a", "parameters": []}}, "tools[0].function.parameters"),
        (
            {"function": {"name": "a", "parameters": {"type": "array"}}},
            "tools[0].function.parameters.type",
        ),
        (
            {"function": {"name": "a", "parameters": {"properties": {"x": True}}}},
            "tools[0].function.parameters.properties.x",
        ),
        (
            {"function": {"name": "a", "parameters": {"properties": {"x": {"type": 3}}}}},
            "tools[0].function.parameters.properties.x.type",
        ),
        (
            {"function": {"name": "a", "parameters": {"required": ["x"]}}},
            "tools[0].function.parameters.required",
        ),
        (
            {"function": {"name": "a", "parameters": {"required": "x"}}},
            "tools[0].function.parameters.required",
        ),
        (
            {"function": {"name": "a", "parameters": {"properties": {"x": {"default": math.nan}}}}},
            "tools[0].function.parameters.properties.x.default",
        ),
        (
            {"function": {"name": "a", "parameters": {"x": {1, 2}}}},
            "tools[0].function.parameters.x",
        ),
    ],
)
def test_malformed_dicts_are_refused_with_the_place(tool: object, place: str) -> None:
    assert refused(tool).argument == place


def test_two_tools_of_one_name_are_refused() -> None:
    assert "add" in refused(GOOD, GOOD).message


@pytest.mark.parametrize("tools", [GOOD, "add", get_weather, 3, b"add"])
def test_tools_must_be_a_list(tools: object) -> None:
    with pytest.raises(InvalidRequestError, match="tools must be a list") as caught:
        build_tools(tools)
    assert caught.value.argument == "tools"


def test_no_tools_are_not_sent() -> None:
    assert build_tools(None) is None
    assert build_tools([]) is None


@dataclass
class Tree:
    name: str
    children: list[Tree]


def grow(tree: Tree, depth: int = 1) -> None:
    """Grow a tree."""


def test_a_recursive_type_is_refused_because_the_server_would_drop_it() -> None:
    error = refused(grow)
    assert str(error.argument) == "tools[0]"
    assert all(word in error.message for word in ("tree", "grow", "recursive"))
    assert error.hint


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    ONE = 1
    ALL = "all"


def test_choices_have_the_type_of_their_values() -> None:
    def f(
        number: Literal[1, 2],
        mixed: Literal["a", 1, 2],
        flag: Literal[True],
        level: Level,
        either: Mixed,
        maybe: Literal["a", None],
        several: list[Literal[1, 2]],
    ) -> None: ...

    properties = tool_from_function(f)["function"]["parameters"]["properties"]
    assert properties["number"]["type"] == "integer"
    assert sorted(properties["mixed"]["type"]) == ["integer", "string"]
    assert properties["flag"]["type"] == "boolean"
    assert properties["level"]["type"] == "integer"
    assert sorted(properties["either"]["type"]) == ["integer", "string"]
    assert sorted(properties["maybe"]["type"]) == ["null", "string"]
    assert properties["several"]["items"]["type"] == "integer"


def sphinx(city: str, unit: str = "C", days: int = 1) -> None:
    """Tell the weather.

    Of one place only: a city.

    :param city: The city, with its country
        if there are several.
    :type city: str
    :param str unit: Celsius or Fahrenheit.
    :param days: How many.

        Not more than ten.
    :returns: A text.
    :raises ValueError: days: too many.
    """


def numpy_style(city: str, unit: str = "C", days: int = 1) -> None:
    """Tell the weather.

    Of one place only: a city.

    Parameters
    ----------
    city : str
        The city, with its country
        if there are several.
    unit : {"C", "F"}, optional
        Celsius or Fahrenheit.
    days
        How many.

        Not more than ten.

    Returns
    -------
    days : str
        A text.
    """


def google(city: str, unit: str = "C", days: int = 1) -> None:
    """Tell the weather.

    Of one place only: a city.

    Args:
        city (Optional[tuple(str, str)]): The city, with its country
            if there are several.
        unit: Celsius or Fahrenheit.
        days (int, optional): How many.

            Not more than ten.

    Returns:
        days: A text.
    """


@pytest.mark.parametrize("function", [sphinx, numpy_style, google])
def test_docstrings_of_every_style_describe_parameters(function: Any) -> None:
    described = tool_from_function(function)["function"]
    assert described["description"] == "Tell the weather.\n\nOf one place only: a city."
    properties = described["parameters"]["properties"]
    assert {name: item.get("description") for name, item in properties.items()} == {
        "city": "The city, with its country if there are several.",
        "unit": "Celsius or Fahrenheit.",
        "days": "How many. Not more than ten.",
    }


def test_several_parameters_may_share_a_description() -> None:
    def f(a: int, b: int) -> None:
        """Add.

        Parameters
        ----------
        a, b : int
            What to add.
        """

    properties = tool_from_function(f)["function"]["parameters"]["properties"]
    assert [item["description"] for item in properties.values()] == ["What to add."] * 2


def test_text_that_only_resembles_a_section_stays() -> None:
    def f(a: int) -> None:
        """Parameters matter.

        Parameters
        of every kind: a few.
        """

    assert "of every kind" in tool_from_function(f)["function"]["description"]
