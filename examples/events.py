"""Watch what a manager does: the server's life, every request, every retry.

    python examples/events.py [MODEL]

MODEL is ``$OLLAMA_MODEL`` or ``llama3.2`` if it is not given.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from manager import ModelNotFoundError, OllamaManager, OllamaManagerError, events

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OLLAMA_MODEL", "llama3.2")


def show(event: events.Event) -> None:
    """Print an event on a line. Called on a thread of its own; it may be slow, or even fail."""
    match event:
        case events.ServerEvent(status=status):
            facts = f"{status.host} pid {status.pid or '-'}"
        case events.RequestFinished(endpoint=endpoint, seconds=seconds):
            facts = f"{endpoint} in {seconds * 1000:.0f} ms"
        case events.RequestFailed(endpoint=endpoint, error=error):
            facts = f"{endpoint}: {error.message}"
        case events.ModelProgress(model=model, progress=progress):
            facts = f"{model}: {progress.status}"
        case events.RequestStarted(endpoint=endpoint) | events.RequestRetried(endpoint=endpoint):
            facts = endpoint
        case _:
            facts = ""
    print(f"{time.strftime('%H:%M:%S', time.localtime(event.time))}  {event.name:<18}{facts}")


def main() -> None:
    with OllamaManager() as m:
        m.events.subscribe(show)  # all of them; name some to get only those: "server.crashed", ...
        m.ensure_model(MODEL)
        m.chat(MODEL, "Say hello.", num_predict=20)
        with contextlib.suppress(ModelNotFoundError):  # its event says it
            m.chat("no-such-model", "Say hello.")


if __name__ == "__main__":
    try:
        main()
    except OllamaManagerError as error:
        sys.exit(f"error: {error}")
