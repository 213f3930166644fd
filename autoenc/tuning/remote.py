"""Trainings of torch modules on the workers of a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from autoenc.engines import StopFlag
from autoenc.searching.loop import Watch
from autoenc.searching.remote import Remote
from autoenc.tuning.module_trials import ModuleObjective, ModuleOutcome, ModuleUnit

__all__ = ["remote_modules"]

_lock = threading.Lock()


def remote_modules(train: Callable[..., Any]) -> Remote[ModuleUnit, ModuleOutcome]:
    """Return how modules are measured elsewhere.

    Args:
        train: As for :class:`~autoenc.tuning.module_trials.ModuleObjective`; it is sent once, with its data.
    """
    return Remote(lambda unit: "training", lambda name: train, _measure)


def _measure(train: Callable[..., Any], unit: ModuleUnit, watch: Watch | None) -> ModuleOutcome:
    # A training sets torch's random state and threads, which all threads of a process share.
    with _lock:
        return ModuleObjective(train).job(unit, watch)(StopFlag())
