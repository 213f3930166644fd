"""Folds of a transfer-aware search, fitted elsewhere."""

from __future__ import annotations

import threading
import weakref

from autoenc.engines import StopFlag
from autoenc.searching.loop import Watch
from autoenc.searching.remote import Remote
from autoenc.system.surroundings import one_thread_each
from autoenc.two_stage.job import TransferJob
from autoenc.two_stage.objective import FoldOutcome, FoldsObjective, FoldUnit

__all__ = ["remote_folds"]

_objectives: dict[int, tuple[weakref.ref[TransferJob], FoldsObjective]] = {}
"""On a worker: what measures the folds of each job, so that they share encoders as on one machine."""
_lock = threading.Lock()


def remote_folds(job: TransferJob) -> Remote[FoldUnit, FoldOutcome]:
    """Return the folds of a job; its tables are sent once."""
    return Remote(lambda unit: "tables", lambda name: job, _measure)


def _measure(job: TransferJob, unit: FoldUnit, watch: Watch | None) -> FoldOutcome:
    with _lock:
        known = _objectives.get(id(job))
        if known is None or known[0]() is not job:
            one_thread_each()
            known = _objectives[id(job)] = (weakref.ref(job), job.objective())
    return known[1].job(unit, watch)(StopFlag())
