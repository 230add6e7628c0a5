"""An answer while it is being written, and one that is stopped early.

    python examples/streaming.py [MODEL]

MODEL is ``$OLLAMA_MODEL`` or ``llama3.2`` if it is not given.
"""

from __future__ import annotations

import os
import sys

from manager import OllamaManager, OllamaManagerError, StreamInterruptedError

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OLLAMA_MODEL", "llama3.2")


def main() -> None:
    with OllamaManager() as m:
        m.ensure_model(MODEL)

        with m.chat(MODEL, "Tell me a very short story.", stream=True, num_predict=200) as stream:
            for text in stream.text:
                print(text, end="", flush=True)
            answer = stream.final()  # the whole answer as one response, with its numbers
        seconds = (answer.eval_duration or 0) / 1e9  # Ollama counts in nanoseconds
        print(f"\n[{answer.eval_count} tokens in {seconds:.2f} s]\n")

        # Leaving the block closes the stream, and the server stops generating.
        with m.chat(MODEL, "Count from one to fifty.", stream=True, num_predict=500) as stream:
            for _ in stream.text:
                if stream.partial and len(stream.partial.message.content or "") > 40:
                    break
            heard = stream.partial.message.content if stream.partial else ""
        print(f"{heard} ... [enough]")


if __name__ == "__main__":
    try:
        main()
    except StreamInterruptedError as error:  # what had arrived is in error.partial
        sys.exit(f"\nerror: the answer ends here: {error}")
    except OllamaManagerError as error:
        sys.exit(f"error: {error}")
