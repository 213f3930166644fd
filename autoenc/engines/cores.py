"""The cores of this process, and the threads that train on them.

Fits in training come first: each has a core. Those that are left are lent to fits that have work for more
than one, for a pass over rows at a time, and given back between two steps as soon as a further fit begins.
That changes times and nothing else, see :mod:`autoenc.engines.team`; so a thread that cannot be started is
done without. Threads that wait for each other are slower than one where other programs have the cores, so
that nothing is lent that those are using.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from autoenc.engines.meeting import MOST, OVER, STEP, WANTED, Meeting, new_meeting

__all__ = ["CORES", "Cores", "n_runnable"]

_LOAD = Path("/proc/loadavg")  # its fourth word: threads that run or could run, as of now, of how many


def n_runnable() -> int:
    """Return how many threads of this machine run or could run; 0 where the system does not say."""
    try:
        return int(_LOAD.read_text(encoding="ascii").split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return 0


class Cores:
    """Counts fits in training and threads that help them; one for all engines of a process.

    Args:
        runnable: Says how many threads of the machine run or could run, those of this process among them.
    """

    def __init__(self, runnable: Callable[[], int] = n_runnable) -> None:
        self._runnable = runnable
        self._lock = threading.Lock()
        self._n_training = 0
        self._lent: list[tuple[Meeting, int]] = []  # with the cores that their fit may reckon with
        self._helpers: ThreadPoolExecutor | None = None

    @contextmanager
    def training(self) -> Iterator[None]:
        """Count a fit as long as it trains; if its core was lent, it is given back."""
        with self._lock:
            self._n_training += 1
            for meeting, n_cores in self._lent:
                over = self._n_training + self._n_helping() - n_cores
                meeting[WANTED] -= min(max(over, 0), meeting[WANTED] - 1)
        try:
            yield
        finally:
            with self._lock:
                self._n_training -= 1

    def run(self, one_pass: Callable[[Meeting, bool], float], n_cores: int) -> float:
        """Run a pass of a fit that is counted, with the help of cores that are free.

        Args:
            one_pass: Called by each thread with where they meet, and whether it helps.
            n_cores: Cores that all fits in training share.

        Returns:
            What the thread that does not help returns.
        """
        if n_cores == 1:
            return one_pass(new_meeting(1), False)
        meeting = self._lend(min(n_cores, MOST - 1))
        try:
            for _ in range(meeting[WANTED] - 1):
                self._send(one_pass, meeting)
            return one_pass(meeting, False)
        finally:
            meeting[STEP] = OVER  # to those who come now
            self._take_back(meeting)

    def _lend(self, n_cores: int) -> Meeting:
        """Return where a fit and its helpers meet: no more of them than its share of the free cores."""
        with self._lock:
            own = self._n_training + self._n_helping()
            free = n_cores - own
            if free > 0:
                others = max(self._runnable() - own, 0)
                free = min(free, max(os.cpu_count() or 1, n_cores) - others - own)
            share = -(-n_cores // max(self._n_training, 1)) - 1
            meeting = new_meeting(1 + max(min(free, share), 0))
            if meeting[WANTED] > 1:
                self._lent.append((meeting, n_cores))
            return meeting

    def _take_back(self, meeting: Meeting) -> None:
        with self._lock:
            self._lent = [lent for lent in self._lent if lent[0] is not meeting]

    def _send(self, one_pass: Callable[[Meeting, bool], float], meeting: Meeting) -> None:
        """Let a further thread come to help, if there can be one."""
        with self._lock:
            self._helpers = self._helpers or ThreadPoolExecutor(MOST, "helper")
        try:
            self._helpers.submit(one_pass, meeting, True)
        except RuntimeError:  # no further thread can be started, or the interpreter ends
            return

    def _n_helping(self) -> int:
        return sum(int(meeting[WANTED]) - 1 for meeting, _ in self._lent)


CORES = Cores()
"""Those of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CORES.__init__)  # type: ignore[misc]  # its threads stay with the parent
