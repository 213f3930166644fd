"""Choice of the engine, where none was named: the one that a short calibration finds faster."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from autoenc.engines import Engine, Fit, Split, make_engine
from autoenc.searching.estimate import estimate_seconds

__all__ = ["Estimate", "candidates", "estimates", "fastest", "has_gpu"]

_DRIVERS = ("/dev/nvidiactl", "/dev/dxg")


class Estimate(NamedTuple):
    """The time that an engine would take.

    Attributes:
        engine: What would train.
        seconds: Wall time.
    """

    engine: Engine
    seconds: float


def has_gpu() -> bool:
    """Return whether there is a CUDA device; torch, which takes seconds to import, is asked if one may be."""
    if not any(Path(driver).exists() for driver in _DRIVERS) and shutil.which("nvidia-smi") is None:
        return False
    import torch

    return torch.cuda.is_available()


def candidates(engine: Engine, name: str, device: str) -> list[Engine]:
    """Return the engines among which there is a choice, first the one that was made for these options.

    Args:
        engine: What was made.
        name: The engine that was asked for.
        device: The device that was asked for.
    """
    if engine.name == "native" and name == device == "auto" and has_gpu():
        return [engine, make_engine("stacked", "cuda")]
    return [engine]


def estimates(
    engines: Sequence[Engine], fits: Sequence[Fit], split_of: Callable[[Fit], Split], jobs: int
) -> list[Estimate]:
    """Return how long each engine would take for some fits; see :func:`estimate_seconds`."""
    return [Estimate(engine, estimate_seconds(fits, split_of, engine, jobs)) for engine in engines]


def fastest(
    engines: Sequence[Engine], fits: Sequence[Fit], split_of: Callable[[Fit], Split], jobs: int
) -> tuple[Engine, list[Estimate]]:
    """Return the engine that takes the shortest time, and what each would take.

    Where there is no choice, or nothing to train, nothing is measured.
    """
    if len(engines) == 1 or not fits:
        return engines[0], []
    measured = estimates(engines, fits, split_of, jobs)
    return min(measured, key=lambda one: one.seconds).engine, measured
