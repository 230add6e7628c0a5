"""A program that is frozen by the tests: it starts a server, says how that went, and ends.

Each start appends a line to the file STARTS. ENTRY in the environment: its first lines are those
that the documentation asks for.
"""

from __future__ import annotations

import json
import os
import sys

with open(os.environ["STARTS"], "a") as file:
    file.write(json.dumps(sys.argv) + "\n")

if "ENTRY" in os.environ:
    from manager import freeze_support

    freeze_support()

from manager import OllamaManager, OllamaManagerError


def main() -> None:
    with OllamaManager() as m:
        try:
            m.start_server()
            said = {"models": len(m.list_models()), "server": m.status().pid}
        except OllamaManagerError as error:
            said = error.to_dict()
    print(json.dumps(said), flush=True)


main()
