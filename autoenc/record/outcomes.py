"""The outcomes of a record, each read from its file when it is asked for.

A search that adds ten fits to a record of a hundred thousand looks for ten of them, and reads no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any

from autoenc.engines import Fit, Outcome

__all__ = ["Outcomes"]

Read = Callable[[Iterable[Any]], Iterable[tuple[Fit, Outcome]]]


class Outcomes(MutableMapping[Fit, Outcome]):
    """Every fit's outcome; a success is final, else the last attempt counts.

    Args:
        places: Where the attempts of each fit stand, the earliest first, by the fit's identity.
        identity: Returns a fit's identity.
        read: Reads attempts at places; one that contradicts itself is left out.

    Attributes:
        n_changes: How many times an outcome was set or removed; reading changes nothing.
    """

    def __init__(self, places: dict[str, list[Any]], identity: Callable[[Fit], str], read: Read) -> None:
        self._places, self._identity, self._read = places, identity, read
        self._known: dict[Fit, Outcome] = {}
        self.n_changes = 0

    def __getitem__(self, fit: Fit) -> Outcome:
        known = self._known.get(fit)  # looked up once, as a fit's hash is that of all its options
        if known is not None:
            return known
        if self._places:
            for attempt, outcome in self._read(self._places.pop(self._identity(fit), ())):
                self._attempt(attempt, outcome)
        return self._known[fit]

    def read_ahead(self, fits: Iterable[Fit]) -> None:
        """Read many fits in one go, as they stand in the file: the same as to ask for each."""
        places: list[Any] = []
        for fit in fits if self._places else ():
            if fit not in self._known:
                places += self._places.pop(self._identity(fit), ())
        for attempt, outcome in self._read(places):
            self._attempt(attempt, outcome)

    def _attempt(self, fit: Fit, outcome: Outcome) -> None:
        known = self._known.get(fit)
        if known is None or known.failure is not None:
            self._known[fit] = outcome

    def __setitem__(self, fit: Fit, outcome: Outcome) -> None:
        self.n_changes += 1
        if self._places:
            self._places.pop(self._identity(fit), None)
        self._known[fit] = outcome

    def __delitem__(self, fit: Fit) -> None:
        del self._all[fit]
        self.n_changes += 1

    def __iter__(self) -> Iterator[Fit]:
        return iter(self._all)

    def __len__(self) -> int:
        # Those that are not read count as well, so that counting reads nothing.
        return len(self._known) + len(self._places)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._all!r})"

    @property
    def _all(self) -> dict[Fit, Outcome]:
        """All outcomes, read by now."""
        if self._places:
            places, self._places = self._places, {}
            earlier, self._known = self._known, {}
            # As they stand in the file; who went on from there has set what comes after them.
            for fit, outcome in self._read(place for attempts in places.values() for place in attempts):
                self._attempt(fit, outcome)
            self._known.update(earlier)
        return self._known
