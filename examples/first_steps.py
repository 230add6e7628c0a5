"""First steps: a server, a model, a question, a follow-up.

Uses the Ollama server that runs, or starts one and stops it at the end; pulls the model if it
is missing.

    python examples/first_steps.py [MODEL]

MODEL is ``$OLLAMA_MODEL`` or ``llama3.2`` if it is not given.
"""

from __future__ import annotations

import os
import sys

from manager import Message, OllamaManager, OllamaManagerError

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OLLAMA_MODEL", "llama3.2")


def main() -> None:
    with OllamaManager() as m:
        status = m.start_server()  # the first call would do it as well
        print(f"Ollama {status.version} at {status.host}, {status.ownership}")

        if not m.has_model(MODEL):
            print(f"Pulling {MODEL} ...")
        m.ensure_model(MODEL)
        print("Models:", ", ".join(model.name for model in m.list_models()))

        question = "Why is the sky blue? Answer in one sentence."
        answer = m.chat(MODEL, question, temperature=0.2, num_ctx=4096, num_predict=200)
        print(f"\n> {question}\n{answer.message.content}")

        # The model remembers nothing: a conversation is a list of messages that you keep.
        follow_up = "And at sunset?"
        conversation = [
            Message(role="user", content=question),
            answer.message,
            Message(role="user", content=follow_up),
        ]
        answer = m.chat(MODEL, conversation, num_predict=200)
        print(f"\n> {follow_up}\n{answer.message.content}")


if __name__ == "__main__":
    try:
        main()
    except OllamaManagerError as error:  # the root of every error; its text says what to do
        sys.exit(f"error: {error}")
