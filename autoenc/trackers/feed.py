"""Feeding a tracking server with what a record holds and gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from autoenc.engines.contract import Fit, Outcome
from autoenc.record.fits import FitRecord
from autoenc.system.text import warn
from autoenc.trackers.base import Tracker, entry_of

__all__ = ["Feed", "open_feed"]

_HOMES = {"mlflow": "MlflowTracker", "tensorboard": "TensorboardTracker", "wandb": "WandbTracker"}


class Feed:
    """Logs each fit of a record once.

    A server that fails does not end a search: it is said once, and what is missing is logged when the
    search goes on.

    Args:
        kind: What the server is called.
        tracker: Where fits are logged.
        record: Where they come from.
        input_dim: How many columns they learn from.
    """

    def __init__(self, kind: str, tracker: Tracker, record: FitRecord, input_dim: int) -> None:
        self._kind, self._tracker, self._record, self._input_dim = kind, tracker, record, input_dim
        self._known: set[str] = set()
        self._is_broken = False

    def catch_up(self) -> None:
        """Log what the record holds and the server does not, and from now on what the record gets."""

        def begin() -> None:
            self._known = self._tracker.known()

        self._try(begin)
        for fit, outcome in self._record.outcomes().items():
            self._log(fit, outcome)
        self._record.on_add = self._log

    def keep(self, files: Sequence[Path]) -> None:
        """Keep what a search has written."""
        there = [path for path in files if path.is_file()]
        self._try(lambda: self._tracker.keep(self._record.context.name, there))

    def _log(self, fit: Fit, outcome: Outcome) -> None:
        entry = entry_of(self._record.context.name, fit, outcome, self._input_dim)
        if entry.key in self._known:
            return

        def log() -> None:
            self._tracker.log(entry)
            self._known.add(entry.key)

        self._try(log)

    def _try(self, action: Callable[[], None]) -> None:
        if self._is_broken:
            return
        try:
            action()
        except Exception as error:  # each server has errors of its own
            self._is_broken = True
            reason = " ".join(str(error).split())[:200]
            warn(
                f"warning: --track {self._kind}: {type(error).__name__}: {reason}; the search goes on, and "
                "what is missing is logged when it is run again"
            )


def open_feed(kind: str | None, folder: Path, record: FitRecord, input_dim: int) -> Feed | None:
    """Return what feeds a server, caught up with the record; None where nothing is tracked.

    Args:
        kind: mlflow, tensorboard or wandb; None for none.
        folder: Of the search.
        record: Its fits.
        input_dim: How many columns they learn from.

    Raises:
        InputError: If the package is not installed, or the server cannot be used.
    """
    if kind is None:
        return None
    module = import_module(f"autoenc.trackers.{kind}_store")
    feed = Feed(kind, getattr(module, _HOMES[kind])(folder), record, input_dim)
    feed.catch_up()
    return feed
