"""Where threads meet that train one fit together: an int64 array, its places a cache line each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ARRIVED", "COUNTS", "JOINED", "MOST", "NAP", "OVER", "PHASE", "SLEEPING", "STEP", "WANTED", "Meeting",
    "new_meeting",
]  # fmt: skip

Meeting = NDArray[np.int64]

# ARRIVED threads wait for the others until PHASE changes. STEP is what is trained now, and by how many; OVER
# once there is nothing more. JOINED have come to help, so many that at most WANTED are at work. SLEEPING wait
# without a core, for the seconds and nanoseconds at NAP at most. From COUNTS on, each thread has a place for
# the numbers of cells that it met.
ARRIVED, PHASE, STEP, JOINED, WANTED, SLEEPING, NAP, COUNTS = range(0, 64, 8)
OVER = -1
MOST = 256
"""A fit has fewer threads than that."""

_NAP_NS = 10_000_000
"""A thread that sleeps looks again by then, so that one that is forgotten wakes up."""


def new_meeting(wanted: int) -> Meeting:
    """Return the array in which up to ``wanted`` threads meet for one pass."""
    meeting = np.zeros(COUNTS + 8 * wanted, np.int64)
    meeting[WANTED], meeting[NAP + 1] = wanted, _NAP_NS
    return meeting
