"""Sorts what customers write: a tiny app, to show how one tests it. See test_triage.py."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from manager import OllamaManager, OllamaManagerError, StreamInterruptedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manager import AsyncOllamaManager

MODEL = "llama3.2"
ASK = "Which team is this for, and how urgent is it from 1 to 5?\n\n"


@dataclass(frozen=True)
class Triage:
    """Who looks at a ticket, and how soon."""

    team: Literal["billing", "technical", "unsorted"]
    urgency: int


def triage(m: OllamaManager, ticket: str) -> Triage:
    """Sort a ticket; one that the model cannot sort is for people to look at."""
    try:
        return m.chat_parsed(MODEL, ASK + ticket, Triage)
    except OllamaManagerError:
        return Triage("unsorted", 3)


async def triage_all(m: AsyncOllamaManager, tickets: Sequence[str]) -> list[Triage]:
    """Sort tickets, all at once."""
    sorted_ones = (m.chat_parsed(MODEL, ASK + ticket, Triage) for ticket in tickets)
    return await asyncio.gather(*sorted_ones)


def draft(m: OllamaManager, ticket: str) -> str:
    """Draft an answer; half of one is better than none."""
    stream = m.chat(MODEL, f"Answer politely:\n\n{ticket}", stream=True)
    try:
        return stream.final().message.content or ""
    except StreamInterruptedError as error:
        begun = stream.partial
        return f"{begun.message.content if begun else ''} [...] ({error.code})"


def main() -> int:
    """Sort the tickets named on the command line."""
    with OllamaManager() as m:
        for ticket in sys.argv[1:]:
            print(f"{triage(m, ticket)}: {ticket}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
