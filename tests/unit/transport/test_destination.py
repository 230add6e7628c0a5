"""Why a connection was not made, in words."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from manager.transport.addresses import Address
from manager.transport.destination import Destination, Failure


def failure(number: int, code: int) -> Failure:
    address = Address(socket.AF_INET, (f"192.0.2.{number}", 80))
    return Failure(address, OSError(code, os.strerror(code)))


def test_an_address_is_not_named_twice() -> None:
    error = Destination("192.0.2.1", 80, 5).failed([failure(1, errno.ECONNREFUSED)])
    assert str(error) == "no connection to 192.0.2.1:80: connection refused"
    assert isinstance(error.__cause__, ConnectionRefusedError)


def test_each_address_of_a_name_has_its_reason() -> None:
    failures = [failure(1, errno.ETIMEDOUT), failure(2, errno.EHOSTUNREACH)]
    error = Destination("gpu-box", 80, 5).failed(failures)
    assert str(error) == (
        "no connection to gpu-box:80: 192.0.2.1: no answer; 192.0.2.2: no route to host"
    )
    assert error.__cause__ is failures[-1].error


def test_five_addresses_are_named() -> None:
    failures = [failure(number, errno.ENETUNREACH) for number in range(1, 8)]
    message = str(Destination("gpu-box", 80, 5).failed(failures))
    assert message.count("network is unreachable") == 5
    assert message.endswith("192.0.2.5: network is unreachable; and 2 more")


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EMFILE, "too many open files"), (errno.EACCES, "permission denied")],
)
def test_reasons_of_the_system(code: int, words: str) -> None:
    message = str(Destination("192.0.2.1", 80, 5).failed([failure(1, code)]))
    assert message == f"no connection to 192.0.2.1:80: {words}"


def test_limits() -> None:
    destination = Destination("::1", 80, 2.5)
    assert str(destination.timed_out()) == "no connection to [::1]:80 within 2.5 s"
    assert "name was not resolved in time" in str(destination.not_resolved_in_time())
