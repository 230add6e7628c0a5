"""Stub."""


class AsyncHttpxCarrier:
    def __init__(self, settings: object, transport: object = None) -> None: ...
