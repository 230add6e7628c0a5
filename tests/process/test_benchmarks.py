"""The benchmark of calls runs; what it measures is not judged."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEERS = ("matplotlib", "numpy", "ollama")
MISSING = [name for name in PEERS if importlib.util.find_spec(name) is None]


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(MISSING), reason=f"needs the dependency group bench: {MISSING}")
def test_the_benchmark_of_calls_runs(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.client", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    printed = run("--smoke", "--json", str(figures), "--charts", str(tmp_path))
    found = json.loads(figures.read_text("utf-8"))
    for key, pair in found["rows"].items():
        assert len(pair["ours"]) == len(pair["theirs"]) == 1, key
        assert min(*pair["ours"], *pair["theirs"]) > 0, key
    assert set(found["scaling"]) == {"streams", "texts", "bytes"}
    assert "mean anything" in printed
    assert "met" not in printed.split(), "tiny figures are not judged"
    assert run("--render", str(figures)) == printed
    for chart in ("client.svg", "scaling.svg"):
        assert "<svg" in (tmp_path / chart).read_text("utf-8")
