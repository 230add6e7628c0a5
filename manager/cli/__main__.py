"""``python -m manager.cli``, for where the script ``ollama-manager`` is not on the path."""

from __future__ import annotations

import sys

from manager.cli import main

if __name__ == "__main__":
    sys.exit(main())
