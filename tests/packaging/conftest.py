"""The wheel, built and installed into an environment that holds nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, away from the checkout."""

    wheel: Path
    bin: Path
    folder: Path

    @property
    def python(self) -> Path:
        return self.bin / ("python.exe" if os.name == "nt" else "python")

    def run(self, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program there; what it says comes back as text."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OLLAMA", "PYTHON"))}
        return subprocess.run(
            [os.fspath(word) for word in words],
            cwd=self.folder,
            env={**clean, "HOME": str(self.folder), "NO_COLOR": "1", **environ},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip"]
    quiet = ["--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        pip, quiet = ["uv", "pip"], ["--quiet"]
        subprocess.run(["uv", "build", "--quiet", "--wheel", "-o", folder, ROOT], check=True)
    else:
        subprocess.run([*pip, "wheel", *quiet, "--no-deps", "-w", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False, symlinks=os.name != "nt")
    scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    into = ["--python", str(scripts / "python")]
    install = ["install", *quiet, f"{wheel}[numpy]"]
    if pip[0] != "uv":
        install.insert(1, "--no-compile")  # as uv does: most of numpy is never imported
    # pip takes --python before its command, uv after
    words = [*pip, *into, *install] if pip[0] != "uv" else [*pip, install[0], *into, *install[1:]]
    subprocess.run(words, check=True)
    return Installed(wheel, scripts, folder)
