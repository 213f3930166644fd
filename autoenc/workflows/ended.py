"""A search that ended, or was stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from autoenc.report.files import Written
from autoenc.searching.signals import StopOnSignals

__all__ = ["Ended"]

R = TypeVar("R", covariant=True)


@dataclass(frozen=True)
class Ended(Generic[R]):
    """A search that ended, or was stopped.

    Attributes:
        results: What the record holds now.
        written: The output files.
        signals: Which signal stopped it, if one did.
    """

    results: R
    written: Written
    signals: StopOnSignals
