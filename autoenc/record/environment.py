"""Description of the environment: versions, machine and the commit of the source."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["describe_environment", "describe_machine"]

_PACKAGES = ("torch", "numba", "numpy", "pandas", "scikit-learn", "scipy", "matplotlib", "optuna")


def describe_environment() -> dict[str, Any]:
    """Return versions, platform, processor and git commit, as plain values; None for what is not there."""
    versions = {"autoenc": _version("autoenc"), "python": platform.python_version()}
    versions |= {name: _version(name) for name in _PACKAGES}
    return {
        "versions": versions,
        "platform": platform.platform(),
        "processor": _processor(),
        "git_commit": _git_state(Path(__file__).resolve().parents[2])[0],
    }


def describe_machine() -> dict[str, Any]:
    """Return :func:`describe_environment` with host, cores, GPU, and whether tracked source files differ."""
    return {
        **describe_environment(),
        "git_dirty": _git_state(Path(__file__).resolve().parents[2])[1],
        "host": socket.gethostname(),
        "n_cores": os.cpu_count(),
        "gpu": _gpu(),
    }


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _gpu() -> str | None:
    """Return the first NVIDIA GPU, as the driver names it: torch would take seconds to import."""
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Model:"):
                return line.split(":", 1)[1].strip()
    return None


@cache
def _git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Return the commit, and whether tracked files differ from it; None outside a checkout."""
    if not (folder / ".git").exists():
        return None, None
    command = ["git", "--no-optional-locks", "-C", str(folder), "status", "--porcelain=v2", "--branch"]
    try:
        run = subprocess.run(
            [*command, "--untracked-files=no"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    lines = run.stdout.splitlines()
    oid = next((line.split()[-1] for line in lines if line.startswith("# branch.oid")), "(initial)")
    dirty = any(not line.startswith("#") for line in lines)
    return (None if oid == "(initial)" else oid), dirty
