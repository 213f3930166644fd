"""Frozen values that are looked up many times: what they are known by is computed once."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from typing import Any

__all__ = ["Hashed"]


class Hashed:
    """A frozen dataclass that remembers its hash; it sets ``__hash__ = Hashed.__hash__`` in its own body."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, field.name) for field in fields(self)))  # type: ignore[arg-type]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the hash, which is another one in another process."""
        return {name: value for name, value in vars(self).items() if name != "_hash"}
