"""What ran: versions, machine and the commit of the source."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["describe_environment"]

_PACKAGES = ("torch", "numba", "numpy", "pandas", "scikit-learn", "scipy", "matplotlib", "optuna")


def describe_environment() -> dict[str, Any]:
    """Versions, platform, processor and git commit, as plain values; None for what is not there."""
    versions = {"autoenc": _version("autoenc"), "python": platform.python_version()}
    versions |= {name: _version(name) for name in _PACKAGES}
    return {
        "versions": versions,
        "platform": platform.platform(),
        "processor": _processor(),
        "git_commit": _git_commit(Path(__file__).resolve().parents[1]),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _git_commit(folder: Path) -> str | None:
    if not (folder / ".git").exists():
        return None
    try:
        run = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() or None
