"""Threads wait for each other on systems that cannot let them sleep until a word changes, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PLAYED = """
import ctypes, os, sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import llvmlite.binding, numba, numpy as np  # these have their own ways

real, sys.platform = sys.platform, {platform!r}
system = ctypes.CDLL(None)
if sys.platform == "win32":
    ctypes.windll = SimpleNamespace(kernel32=SimpleNamespace(SwitchToThread=system.sched_yield))
ctypes.CDLL = lambda name: SimpleNamespace(sched_yield=system.sched_yield)  # and no syscall
from autoenc.engines import system_calls, team
from autoenc.engines.meeting import new_meeting

sys.platform = real


@numba.njit(nogil=True)
def passes(meeting, done, rank, size, n):
    wrong = 0
    for i in range(n):
        done[rank] += 1
        team.wait(meeting, size)
        for other in range(size):
            wrong += done[other] != i + 1
        team.wait(meeting, size)
    return wrong


N_THREADS = 2 * (os.cpu_count() or 1) + 1  # more than cores, so that some have to leave theirs
meeting, done = new_meeting(N_THREADS), np.zeros(N_THREADS, np.int64)
with ThreadPoolExecutor(N_THREADS) as pool:
    wrong = list(pool.map(lambda rank: passes(meeting, done, rank, N_THREADS, 50), range(N_THREADS)))
print(system_calls.FUTEX, sum(wrong), set(done.tolist()))
"""


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_threads_that_cannot_sleep_let_others_run(root: Path, platform: str) -> None:
    command = [sys.executable, "-c", PLAYED.format(platform=platform)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=2) == ["None", "0", "{50}\n"]
