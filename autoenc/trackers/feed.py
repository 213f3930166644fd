"""Feeding a tracking server with what a record holds and gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path

from autoenc.engines import Fit, Outcome
from autoenc.record.fits import FitRecord
from autoenc.system.text import warn
from autoenc.trackers.base import Entry, Tracker, entry_of

__all__ = ["Feed", "feed_of_fits", "open_feed"]

_HOMES = {"mlflow": "MlflowTracker", "tensorboard": "TensorboardTracker", "wandb": "WandbTracker"}


class Feed:
    """Logs each entry once.

    A server that fails does not end a search: it is said once, and what is missing is logged when the
    search goes on.

    Args:
        kind: What the server is called.
        tracker: Where entries are logged.
        search: The name of what all entries share.
    """

    def __init__(self, kind: str, tracker: Tracker, search: str) -> None:
        self._kind, self._tracker, self._search = kind, tracker, search
        self._known: set[str] = set()
        self._is_broken = False

    def catch_up(self, entries: Iterable[Entry]) -> None:
        """Log what the server does not hold yet."""

        def begin() -> None:
            self._known = self._tracker.known()

        self._try(begin)
        for entry in entries:
            self.log(entry)

    def log(self, entry: Entry) -> None:
        """Log an entry, unless the server holds it."""
        if entry.key in self._known:
            return

        def log() -> None:
            self._tracker.log(entry)
            self._known.add(entry.key)

        self._try(log)

    def keep(self, files: Sequence[Path]) -> None:
        """Keep what a search has written."""
        there = [path for path in files if path.is_file()]
        self._try(lambda: self._tracker.keep(self._search, there))

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


def open_feed(kind: str | None, folder: Path, search: str, entries: Iterable[Entry]) -> Feed | None:
    """Return what feeds a server, caught up with a record; None where nothing is tracked.

    Args:
        kind: mlflow, tensorboard or wandb; None for none.
        folder: Of the search.
        search: The name of what all entries share.
        entries: What the record holds.

    Raises:
        InputError: If the package is not installed, or the server cannot be used.
    """
    if kind is None:
        return None
    module = import_module(f"autoenc.trackers.{kind}_store")
    feed = Feed(kind, getattr(module, _HOMES[kind])(folder), search)
    feed.catch_up(entries)
    return feed


def feed_of_fits(kind: str | None, folder: Path, record: FitRecord, input_dim: int) -> Feed | None:
    """Return what feeds a server with each fit of a record, also those that it gets from now on.

    Args:
        kind: See :func:`open_feed`, which raises the same.
        folder: Of the search.
        record: Its fits.
        input_dim: How many columns they learn from.
    """

    def entry(fit: Fit, outcome: Outcome) -> Entry:
        return entry_of(record.context.name, fit, outcome, input_dim)

    entries = (entry(*done) for done in record.outcomes().items())
    feed = open_feed(kind, folder, record.context.name, entries)
    if feed is not None:
        record.on_add = lambda fit, outcome: feed.log(entry(fit, outcome))
    return feed
