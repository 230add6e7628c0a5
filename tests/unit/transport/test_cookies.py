"""Which cookies are sent, whatever was received."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.transport.cookies import Cookies
from manager.transport.http1 import field_lines


def after(*set_cookies: str) -> str | None:
    cookies = Cookies()
    cookies.update(set_cookies)
    return cookies.header()


def test_names_and_values() -> None:
    assert after() is None
    assert after("a=b") == "a=b"
    assert after("a=b; Path=/; Secure; HttpOnly", " c = d ;x") == "a=b; c=d"
    assert after('a="b c"', "d=e=f", "g=") == 'a="b c"; d=e=f; g='


def test_the_last_value_counts() -> None:
    assert after("a=b", "c=d", "a=e") == "c=d; a=e"
    assert after("a=b", "A=c") == "a=b; A=c"


@pytest.mark.parametrize("text", ["", "a", "=b", " =b", ";a=b", "a\x00=b", "a=\x01", "a=b\r\nc: d"])
def test_what_cannot_be_read_or_sent_is_ignored(text: str) -> None:
    assert after("x=y", text) == "x=y"


@pytest.mark.parametrize(
    "attributes",
    [
        "Max-Age=0",
        "max-age = -1",
        "MAX-AGE=-999999999999999999999",
        "Max-Age=-" + "9" * 5000,
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "expires=Thu, 01-Jan-1970 00:00:01 GMT",
        "Expires=Thu, 01-Jan-70 00:00:01 GMT",
        "Expires=Wed Feb  3 2021 10:20:30 GMT; Path=/",
        "Expires=Fri, 01 Jan 2100 00:00:00 GMT; Max-Age=0",
        "Max-Age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "Max-Age=60; Max-Age=0",
    ],
)
def test_cookies_that_have_expired(attributes: str) -> None:
    assert after("a=b", f"a=c; {attributes}") is None
    assert after(f"a=c; {attributes}", "d=e") == "d=e"


@pytest.mark.parametrize(
    "attributes",
    [
        "Max-Age=60",
        "Max-Age=" + "9" * 5000,
        "Max-Age=--5",
        "Max-Age=+0",
        "Max-Age=0x0",
        "Max-Age=",
        "Max-Age",
        "Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "Expires=Fri, 01-Jan-2100 00:00:00 GMT",
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60",
        "Expires=Thu, 31 Foo 1970 00:00:00 GMT",
        "Expires=Thu, 99 Jan 1970 00:00:00 GMT",
        "Expires=Thu, 01 Jan 1970 25:00:00 GMT",
        "Expires=Thu, 01 Jan 00:00:00 GMT",
        "Expires=Thu, Jan 1970 00:00:00 GMT",
        "Expires=Thu, 01 Jan 1970",
        "Expires=yesterday",
        "Expires=",
    ],
)
def test_cookies_that_are_kept(attributes: str) -> None:
    assert after(f"a=b; {attributes}") == "a=b"


def test_a_cookie_expires_by_itself() -> None:
    now = 1000.0
    cookies = Cookies(clock=lambda: now)
    cookies.update(["a=b; Max-Age=60", "c=d", "e=f; Expires=Thu, 01 Jan 1970 00:20:00 GMT"])
    assert cookies.header() == "a=b; c=d; e=f"
    now = 1060.0
    assert cookies.header() == "c=d; e=f"
    now = 1200.0
    assert cookies.header() == "c=d"


def test_no_more_than_a_server_can_mean() -> None:
    cookies = Cookies()
    cookies.update(f"n{number}=v" for number in range(200))
    header = cookies.header()
    assert header is not None
    assert header.split("; ") == [f"n{number}=v" for number in range(150, 200)]
    cookies.update(["big=" + "x" * 5000])
    assert cookies.header() == header


@given(st.lists(st.text() | st.text("a=;, -0Mx\x00\r\n\t\xe9\u20ac", max_size=20), max_size=8))
def test_anything_received_leaves_what_can_be_sent(texts: list[str]) -> None:
    header = after(*texts)
    if header is not None:
        assert field_lines([("Cookie", header)]).count(b"\r\n") == 1


def test_many_threads_share_them() -> None:
    cookies, failures, is_over = Cookies(), list[BaseException](), threading.Event()

    def update(thread: int) -> None:
        try:
            for number in range(300):
                cookies.update(
                    [f"n{thread}-{number % 40}=v", f"n{thread}-{number % 7}=; Max-Age=0"]
                )
                cookies.header()
        except BaseException as error:
            failures.append(error)

    def read() -> None:
        try:
            while not is_over.is_set():
                cookies.header()
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=update, args=(number,)) for number in range(4)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    is_over.set()
    for thread in readers:
        thread.join()
    assert not failures
