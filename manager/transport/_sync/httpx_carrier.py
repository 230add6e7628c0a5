# generated from manager/transport/_async/httpx_carrier.py by codegen.sh - do not edit
"""Stub."""


class HttpxCarrier:
    def __init__(self, settings: object, transport: object = None) -> None: ...
