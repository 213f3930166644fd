"""What the benchmarks share: the machine in words, child processes with their peak memory, tables."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

# This module stays free of numpy and the like: on Linux a child's peak memory starts at its parent's.

__all__ = ["ROOT", "Child", "available_cores", "cpu_flags", "describe_machine", "print_table", "run_child"]

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the checkout beside this file is measured, installed or not


class Child(NamedTuple):
    """How a child process went: wall time, time on all cores together, and largest memory."""

    seconds: float
    cpu_s: float
    peak_mb: float


def run_child(arguments: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Child:
    """Run Python with ``arguments`` in the project's folder, its output kept unless it fails.

    Raises:
        SystemExit: If it fails; its output is printed.
    """
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{output}\nfailed: {' '.join(map(str, arguments))}")
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return Child(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_info(name: str) -> str:
    """A line of what Linux says of its first CPU; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def cpu_flags() -> set[str]:
    """What the CPU can do, as Linux names it, such as ``avx512f``; empty elsewhere."""
    return set(_cpu_info("flags").split())


def describe_machine() -> str:
    """Date, CPU, cores, load and versions, in two lines."""
    model = _cpu_info("model name") or platform.processor() or platform.machine()
    packages = ("numba", "numpy", "scipy", "pandas", "matplotlib", "torch")
    cores = available_cores()
    return (
        f"{time.strftime('%Y-%m-%d')}, {model}, {cores} core{'s' if cores > 1 else ''}, "
        f"load {os.getloadavg()[0]:.1f} before the start\n"
        f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in packages)}\n"
    )


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, the first one flush left, the others flush right; the first row is the head."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for i, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())
        if i == 0:
            print("  ".join("-" * width for width in widths))
    print()
