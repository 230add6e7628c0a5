"""Look for bytes that break the HTTP parser: ``python -m tests.unit.transport.fuzz MINUTES``.

The properties are those of the tests, with examples that no run has had before. Without coverage
of llhttp, which is compiled, what guides the search is the grammar of ``answers``.
"""

from __future__ import annotations

import faulthandler
import sys
import time
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from . import test_content_coding, test_cookies, test_http1, test_http1_and_h11

if TYPE_CHECKING:
    from collections.abc import Callable

PROPERTIES: list[Callable[[], None]] = [
    test_http1.test_any_bytes_are_an_answer_or_refused_however_they_are_cut,
    test_http1_and_h11.test_any_valid_answer_in_any_pieces,
    test_http1_and_h11.test_a_connection_that_ends_too_early,
    test_http1_and_h11.test_where_both_take_invalid_bytes_for_an_answer_it_is_the_same_one,
    test_content_coding.test_anything_in_any_pieces,
    test_content_coding.test_any_bytes_are_decoded_or_an_error_however_they_are_cut,
    test_cookies.test_anything_received_leaves_what_can_be_sent,
]
_EXAMPLES = 300  # a round of each property; few, so that each gets its share of a short time
_HANGS = 600.0  # seconds; a round takes a few


def fuzz(minutes: float) -> int:
    """Try all properties in turn, until the time is up or one does not hold.

    Returns:
        How many rounds there were.
    """
    ends = time.monotonic() + minutes * 60
    more = settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    checks, rounds = [more(check) for check in PROPERTIES], 0
    while time.monotonic() < ends:
        for check in checks:
            faulthandler.dump_traceback_later(_HANGS, exit=True)
            check()
        rounds += 1
    faulthandler.cancel_dump_traceback_later()
    return rounds


if __name__ == "__main__":
    done = fuzz(float(sys.argv[1]))
    print(f"{done * _EXAMPLES:,} examples of each of {len(PROPERTIES)} properties, none failed")
