"""Choice of the engine, where none was named: the one that a short calibration finds faster."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import NamedTuple

from autoenc.engines import Engine, Fit, Split, make_engine
from autoenc.searching.estimate import estimate_seconds
from autoenc.system.trouble import trouble

__all__ = [
    "Estimate",
    "choose",
    "estimate_on_gpu",
    "estimates",
    "has_gpu",
    "is_open",
    "may_have_gpu",
    "taken",
]

_DRIVERS = ("/dev/nvidiactl", "/dev/dxg")

_SOON_S = 10.0
"""What takes no longer on the CPU is trained there: a GPU would take about as long to get ready."""


class Estimate(NamedTuple):
    """The time that an engine would take.

    Attributes:
        engine: What would train.
        seconds: Wall time; infinite where it cannot train.
        problem: Why it cannot; None where it can.
    """

    engine: Engine
    seconds: float
    problem: str | None = None


def may_have_gpu() -> bool:
    """Return whether there is a driver of CUDA devices, which takes no time to see."""
    return any(Path(driver).exists() for driver in _DRIVERS) or shutil.which("nvidia-smi") is not None


def has_gpu() -> bool:
    """Return whether there is a CUDA device; torch, which takes seconds to import, is asked if one may be."""
    if not may_have_gpu():
        return False
    import torch

    return torch.cuda.is_available()


def is_open(engine: Engine, name: str, device: str) -> bool:
    """Return whether the options leave open what trains, and there may be a choice.

    Args:
        engine: What was made for them.
        name: The engine that was asked for.
        device: The device that was asked for.
    """
    return engine.name == "native" and name == device == "auto" and may_have_gpu()


def estimates(
    engines: Sequence[Engine], fits: Sequence[Fit], split_of: Callable[[Fit], Split], jobs: int
) -> list[Estimate]:
    """Return how long each engine would take for some fits; see :func:`estimate_seconds`."""
    return [Estimate(engine, estimate_seconds(fits, split_of, engine, jobs)) for engine in engines]


def estimate_on_gpu(fits: Sequence[Fit], split_of: Callable[[Fit], Split], jobs: int) -> Estimate:
    """Return how long a GPU would take for some fits: for ever where it cannot, as without room for them."""
    engine = make_engine("stacked", "cuda")
    try:
        return estimates([engine], fits, split_of, jobs)[0]
    except Exception as error:  # nobody asked for it, so nothing depends on it
        return Estimate(engine, inf, trouble(error) or str(error) or type(error).__name__)


def taken(measured: Sequence[Estimate]) -> Estimate:
    """Return the engine to take: the first one where it is done soon, else the fastest."""
    return measured[0] if measured[0].seconds <= _SOON_S else min(measured, key=lambda one: one.seconds)


def choose(
    engine: Engine, fits: Sequence[Fit], split_of: Callable[[Fit], Split], jobs: int
) -> list[Estimate]:
    """Measure what may be taken where it is open what trains, as far as it takes to decide.

    Args:
        engine: What trains on the CPU.
        fits: What is left to train.
        split_of: The data of a fit.
        jobs: Fits at once.

    Returns:
        What was measured, first ``engine``; nothing where there is no choice, or nothing to train.
    """
    if not fits:
        return []
    measured = estimates([engine], fits, split_of, jobs)
    if measured[0].seconds <= _SOON_S:
        return measured
    return [*measured, estimate_on_gpu(fits, split_of, jobs)] if has_gpu() else []
