"""Identity of a result: a hash of everything that determines it, and of nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from autoenc.engines import Fit

__all__ = ["FORMAT_VERSION", "Context"]

FORMAT_VERSION = 1
"""Raised when the same inputs would come to another result: a new split, loss, hash or schedule."""


@dataclass(frozen=True)
class Context:
    """The properties that all fits of one search share; fits of different contexts are never compared.

    Attributes:
        fingerprint: Of the table's cells.
        columns: Columns learned from.
        scaling: Kind of scaling.
        split_seed: Seed of the train/test split.
        test_share: Share of the rows held out.
        division: What else the split depends on: the labels that stratify or group the rows.
        latent_dim: Size of the latent space.
    """

    fingerprint: str
    columns: tuple[str, ...]
    scaling: str
    split_seed: int
    test_share: float
    division: str
    latent_dim: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, from which :meth:`from_dict` makes the same context."""
        return {"format_version": FORMAT_VERSION, **dataclasses.asdict(self), "columns": list(self.columns)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Context:
        """Return the context of :meth:`as_dict`.

        Raises:
            ValueError: If it was written under another format version, or is damaged.
        """
        rest = dict(values)
        version = rest.pop("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(f"the record is of format {version}, but this version reads {FORMAT_VERSION}")
        rest["columns"] = tuple(rest["columns"])
        latent_dim = rest.get("latent_dim")
        if not isinstance(latent_dim, int) or latent_dim < 1:  # files are named after it
            raise ValueError(f"latent_dim must be a whole number of at least 1, got {latent_dim!r}")
        if not all(isinstance(name, str) for name in rest["columns"]):
            raise ValueError("columns must be names")
        return cls(**rest)

    @property
    def name(self) -> str:
        """A short name that differs between contexts, e.g. ``latent3-5f0c2a9be71d``."""
        return f"latent{self.latent_dim}-{_hash(self.as_dict())[:12]}"

    def identity(self, fit: Fit) -> str:
        """Return what a fit's result is known by, 32 hexadecimal digits."""
        widths = ",".join(map(str, fit.architecture))
        digest = self._digest.copy()
        digest.update(f"[{widths}],{fit.recipe.as_text},{_name_text(fit.fold)},{fit.seed}]".encode())
        return digest.hexdigest()[:32]

    @cached_property
    def _digest(self) -> hashlib._Hash:
        """The digest of a list that begins with this context, up to there."""
        return hashlib.sha256(f"[{_text(self.as_dict())},".encode())


def _hash(value: Any) -> str:
    return hashlib.sha256(_text(value).encode()).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


_name_text = lru_cache(1024)(_text)
