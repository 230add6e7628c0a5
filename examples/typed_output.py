"""Free text in, a value of your own type out.

The type's JSON schema limits what the model can write, and the answer is checked against the
type: ``ticket`` below is a ``Ticket``, for you and for your type checker.

    python examples/typed_output.py [MODEL]

MODEL is ``$OLLAMA_MODEL`` or ``llama3.2`` if it is not given.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Literal

from manager import OllamaManager, OllamaManagerError, OutputParseError

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OLLAMA_MODEL", "llama3.2")
MAIL = """Hello, since this morning's update the app closes as soon as I open the camera. I have
restarted the phone twice and reinstalled the app. I need it for work today! Kim"""


@dataclass
class Ticket:
    """What support wants to know."""

    summary: str
    customer: str | None
    urgency: Literal["low", "normal", "high"]
    already_tried: list[str]


def main() -> None:
    with OllamaManager() as m:
        m.ensure_model(MODEL)
        prompt = f"Turn this mail into a support ticket, as JSON:\n\n{MAIL}"
        ticket = m.chat_parsed(MODEL, prompt, Ticket, temperature=0, num_predict=400)

        print(f"{ticket.summary} ({ticket.urgency} urgency)")
        print(f"Customer: {ticket.customer or 'unknown'}")
        for step in ticket.already_tried:
            print(f"Tried: {step}")


if __name__ == "__main__":
    try:
        main()
    except OutputParseError as error:  # a weak model, or an answer cut off by num_predict
        sys.exit(f"error: {error}\nThe model wrote: {error.text!r}")
    except OllamaManagerError as error:
        sys.exit(f"error: {error}")
