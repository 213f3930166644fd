"""A search that ended, or was stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from autoenc.searching.signals import StopOnSignals

__all__ = ["Ended"]

R = TypeVar("R", covariant=True)


@dataclass(frozen=True)
class Ended(Generic[R]):
    """A search that ended, or was stopped.

    Attributes:
        results: What the record holds now.
        written: The output files, with a word for each.
        signals: Which signal stopped it, if one did.
    """

    results: R
    written: list[tuple[str, Path]]
    signals: StopOnSignals
