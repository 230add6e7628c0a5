"""What managers that share a server agree on: which settings one of them changes, and may it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from manager.supervisor.settings import ServerSettings

__all__ = ["BINARY", "changed", "disputed", "in_the_way", "is_news", "merged"]

BINARY = "binary"
"""The name of the program among those of the variables."""


def changed(
    command: tuple[str, ...],
    environ: Mapping[str, str],
    wanted: ServerSettings,
    words: tuple[str, ...],
    before: ServerSettings | None = None,
) -> list[str]:
    """Name what a server would have to be started anew for.

    Args:
        command: The words that it was started with.
        environ: The environment that it was started with.
        wanted: What a manager asks for.
        words: The words that this comes to on this machine.
        before: What the same manager asked for until now; what it does not ask for any more goes.

    Returns:
        The names, sorted.
    """
    names = set(wanted.difference(command, environ, words))
    if before is not None:
        names |= {
            name
            for name, value in before.env.items()
            if name not in wanted.env and environ.get(name) == value
        }
        if before.binary is not None and wanted.binary is None and words and command != words:
            names.add(BINARY)
    return sorted(names)


def disputed(
    names: Iterable[str], wanted: ServerSettings, others: Sequence[ServerSettings]
) -> list[str]:
    """Name the changes that somebody else has something against.

    What another manager has from the same file gives way: whoever wrote that file means them all.

    Args:
        names: What would change.
        wanted: What a manager asks for.
        others: What the others ask for.
    """
    return [
        name
        for name in names
        if any(
            _asks(other, name) is not None
            and _asks(other, name) != _asks(wanted, name)
            and not (other.file is not None and other.file == wanted.file and name in other.filed)
            for other in others
        )
    ]


def in_the_way(
    names: list[str],
    wanted: ServerSettings,
    others: Sequence[ServerSettings],
    *,
    holds: bool,
    unheld: bool,
) -> list[str]:
    """Name the changes that cannot be made, since others use the server as it is.

    Args:
        names: What would change.
        wanted: What a manager asks for.
        others: What the others ask for.
        holds: Whether the manager uses the server already, and changes its own wishes.
        unheld: Whether there is also a lease without a manager that could be asked.
    """
    if holds:
        return disputed(names, wanted, others)
    if not others and not unheld:
        return []
    return [] if not unheld and is_news(names, wanted, others) else names


def is_news(names: Iterable[str], wanted: ServerSettings, others: Sequence[ServerSettings]) -> bool:
    """Say whether a newcomer only knows a newer content of the file that all the others follow.

    Args:
        names: What would change.
        wanted: What the newcomer asks for.
        others: What the others ask for.
    """
    return (
        wanted.file is not None
        and all(name in wanted.filed for name in names)
        and all(other.file == wanted.file and other.read_at < wanted.read_at for other in others)
    )


def merged(running: ServerSettings, wanted: ServerSettings, names: Iterable[str]) -> ServerSettings:
    """Return what the server runs with next: what others have asked for stays.

    Args:
        running: What it runs with.
        wanted: What a manager asks for.
        names: What of it changes.
    """
    env = dict(running.env)
    binary = running.binary
    for name in names:
        if name == BINARY:
            binary = wanted.binary
        elif name in wanted.env:
            env[name] = wanted.env[name]
        else:
            env.pop(name, None)
    return running.with_policies_of(wanted).replace(env=env, binary=binary)


def _asks(settings: ServerSettings, name: str) -> object:
    return settings.binary if name == BINARY else settings.env.get(name)
