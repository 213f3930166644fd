"""Things that take memory and are made again when they are asked for: the last ones are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

__all__ = ["LastUsed"]

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LastUsed(Generic[Key, Value]):
    """A function of one argument that remembers its last results, and any that are still in use elsewhere.

    Args:
        make: The function.
        n_kept: How many results are kept that nobody else uses.
    """

    def __init__(self, make: Callable[[Key], Value], n_kept: int) -> None:
        self._make, self._n_kept = make, n_kept
        self._last: OrderedDict[Key, Value] = OrderedDict()
        self._in_use: WeakValueDictionary[Key, Value] = WeakValueDictionary()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value:
        """Return the function's result."""
        with self._lock:
            value = self._in_use.get(key)
            self._last.pop(key, None)
            while len(self._last) >= self._n_kept:  # before there is one more
                self._last.popitem(last=False)
            if value is None:
                value = self._in_use[key] = self._make(key)
            self._last[key] = value
            return value

    def let_go(self) -> None:
        """Keep nothing but what is in use elsewhere."""
        with self._lock:
            self._last.clear()
