"""Calls and streams in every way at once; ``make soak`` makes forty thousand of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.soak.faults import storm
from benchmarks.soak.figures import Figures

if TYPE_CHECKING:
    from .stage import Stage

CALLS = 600

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


async def test_a_storm_leaves_nothing_behind(stage: Stage) -> None:
    figures = Figures("a storm", "", CALLS)
    await storm(stage, CALLS, figures, lambda: None, kind=stage.kind, workers=20, ends=2)
    assert not figures.failures
    assert figures.counts["chat: fine"] > CALLS / 10
