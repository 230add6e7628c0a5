"""Search by meaning: the texts closest to a question, without a word in common.

Needs numpy: ``pip install axiom-ollama-manager[numpy]``

    python examples/embeddings_search.py [MODEL] [QUESTION]

MODEL is ``$OLLAMA_EMBED_MODEL`` or ``all-minilm`` (46 MB) if it is not given.
"""

from __future__ import annotations

import os
import sys

from manager import CapabilityError, OllamaManager, OllamaManagerError

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OLLAMA_EMBED_MODEL", "all-minilm")
QUESTION = " ".join(sys.argv[2:]) or "How do I get my money back?"
TEXTS = [
    "Refunds are paid within two weeks of receiving the goods.",
    "Our office is open from nine to five, Monday to Friday.",
    "To change your password, open the settings and choose Account.",
    "Parcels to other countries take up to ten days.",
    "You can return what you bought within thirty days.",
]


def main() -> None:
    with OllamaManager() as m:
        m.ensure_model(MODEL)
        texts = m.embed_array(MODEL, TEXTS)  # one row per text; keep them, they stay the same
        question = m.embed_array(MODEL, QUESTION)[0]

    # Ollama's vectors have length 1, so the dot product is the cosine of their angle.
    scores = texts @ question
    print(f"> {QUESTION}")
    for index in scores.argsort()[::-1][:3]:
        print(f"{scores[index]:6.2f}  {TEXTS[index]}")


if __name__ == "__main__":
    try:
        main()
    except CapabilityError as error:
        sys.exit(f"error: {error}\nUse a model made for embeddings, such as all-minilm.")
    except OllamaManagerError as error:
        sys.exit(f"error: {error}")
