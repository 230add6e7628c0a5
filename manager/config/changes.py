"""What differs between two configurations, and when each difference holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from manager.config.keys import masked

if TYPE_CHECKING:
    from manager.config.keys import Effect
    from manager.config.model import ManagerConfig

__all__ = ["ConfigChange", "diff_configs"]


@attrs.frozen
class ConfigChange:
    """One key that changed.

    Attributes:
        key: Its full name, such as ``server.keep_alive``.
        old: The value before, as JSON-ready data; secrets are masked.
        new: The value now, likewise.
        effect: When it holds: at once for later calls, after a restart of the server, or for
            managers made from now on.
    """

    key: str
    old: object
    new: object
    effect: Effect


def diff_configs(old: ManagerConfig, new: ManagerConfig) -> list[ConfigChange]:
    """Return each changed key, in the order of the documentation.

    Args:
        old: The configuration that held.
        new: The one that shall hold.
    """
    return [
        ConfigChange(about.path, masked(about, before), masked(about, after), about.effect)
        for (about, before), (_, after) in zip(old.values(), new.values(), strict=True)
        if before != after
    ]
