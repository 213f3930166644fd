"""Properties of results that are computed once while no outcome is added: reports ask dozens of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

__all__ = ["remembered"]

T = TypeVar("T")


class remembered(Generic[T]):  # noqa: N801  (a decorator, as property)
    """A property of results that is computed anew only where their outcomes have changed since.

    It is remembered in their ``memory``, where ``outcomes`` counts its changes, as that of a record does.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute, self._name = compute, compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, results: None, owner: type) -> remembered[T]: ...

    @overload
    def __get__(self, results: object, owner: type) -> T: ...

    def __get__(self, results: Any, owner: type) -> T | remembered[T]:
        if results is None:
            return self
        n_changes = getattr(results.outcomes, "n_changes", None)
        if n_changes is None:
            return self._compute(results)
        memory = results.memory
        if memory.get("n_changes") != n_changes:
            memory.clear()
            memory["n_changes"] = n_changes
        if self._name not in memory:
            memory[self._name] = self._compute(results)
        value: T = memory[self._name]
        return value
