"""Several questions at once, each answer printed as soon as it is there.

    python examples/async_chat.py [MODEL]

MODEL is ``$OLLAMA_MODEL`` or ``llama3.2`` if it is not given.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from manager import AsyncOllamaManager, OllamaManagerError

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OLLAMA_MODEL", "llama3.2")
QUESTIONS = [
    "Name three primary colours.",
    "What is the capital of Japan?",
    "Translate 'good morning' into French.",
]


async def ask(m: AsyncOllamaManager, question: str) -> float:
    """Print the answer; return the seconds it took."""
    started = time.perf_counter()
    answer = await m.chat(MODEL, question, system="Answer in one short line.", num_predict=100)
    seconds = time.perf_counter() - started
    print(f"> {question} ({seconds:.2f} s)\n{answer.message.content}\n")
    return seconds


async def main() -> None:
    async with AsyncOllamaManager() as m:
        await m.ensure_model(MODEL)
        await m.load_model(MODEL)  # so that no answer waits for it

        # Ollama works on OLLAMA_NUM_PARALLEL requests at a time; the others wait their turn.
        started = time.perf_counter()
        each = await asyncio.gather(*(ask(m, question) for question in QUESTIONS))
        together = time.perf_counter() - started
        print(f"{len(each)} answers in {together:.2f} s; one by one: {sum(each):.2f} s at most")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OllamaManagerError as error:
        sys.exit(f"error: {error}")
