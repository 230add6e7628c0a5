"""The command line: ``ollama-manager``.

    app, invocation           the commands and options; what the shared ones come to
    server, server_logs, models, chat, conversation, embed, simulate, demo   what commands do
    exit_codes, option_words  from an error to an exit code, from words to model options
    terminal, failure, pull_progress   how results, errors and progress are shown

Importing this package imports nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The words after the program's name; None: those of the process.

    Returns:
        The exit code, as docs/cli.md lists them.
    """
    try:
        from manager.cli.app import run

        return run(arguments)
    except KeyboardInterrupt:  # while this very module was being imported
        return 130
