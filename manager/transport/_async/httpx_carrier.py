"""Stub."""


class AsyncHttpxCarrier:
    def __init__(self, settings: object) -> None: ...
