from __future__ import annotations

import gc
import threading

from manager.in_flight import InFlight


class Stream:
    pass


def test_calls_and_streams_are_counted() -> None:
    in_flight: InFlight[Stream] = InFlight()
    stream = Stream()
    in_flight.begin()
    in_flight.opened(stream)
    assert in_flight.count() == 2
    assert in_flight.streams() == [stream]
    in_flight.end()
    in_flight.closed(stream)
    in_flight.closed(stream)
    assert in_flight.count() == 0
    assert in_flight.streams() == []


def test_a_forgotten_stream_does_not_count() -> None:
    in_flight: InFlight[Stream] = InFlight()
    in_flight.opened(Stream())
    gc.collect()
    assert in_flight.count() == 0


def test_many_threads() -> None:
    in_flight: InFlight[Stream] = InFlight()

    def work() -> None:
        for _ in range(500):
            stream = Stream()
            in_flight.begin()
            in_flight.opened(stream)
            assert in_flight.count() >= 2
            in_flight.closed(stream)
            in_flight.end()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_flight.count() == 0
