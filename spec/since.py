"""Write when each operation came: ``python spec/since.py spec/ollama.yaml OUTPUT.py``.

`x-since` of the spec's operations, for those who meet a server that does not have one of them yet.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

MODULE = '''"""Which release of Ollama brought an operation, where it is newer than v0.5.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OPERATIONS: Final[Mapping[str, str]] = {entries}
"""By operation id, the release, such as `v0.12.0`."""
'''


def operations_since(spec: dict[str, Any]) -> dict[str, str]:
    """Return the release that brought each operation that says so, by its id."""
    return {
        operation["operationId"]: operation["x-since"]
        for item in spec["paths"].values()
        for operation in item.values()
        if "x-since" in operation
    }


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    since = operations_since(YAML(typ="safe").load(source))
    target.write_text(MODULE.format(entries=json.dumps(since)), encoding="utf-8")


if __name__ == "__main__":
    main()
