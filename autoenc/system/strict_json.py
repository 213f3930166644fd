"""Documents as strict JSON, which knows no NaN and no infinity."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, TypeVar, cast

from autoenc.system.paths import utf8
from autoenc.system.text import json_text

__all__ = ["finite", "json_bytes"]

T = TypeVar("T")


def finite(value: T) -> T:
    """Replace numbers that strict JSON cannot hold by null."""
    plain: Any = value
    if isinstance(plain, dict):
        plain = {key: finite(item) for key, item in plain.items()}
    elif isinstance(plain, list | tuple):
        plain = plain if _are_finite(plain) else [finite(item) for item in plain]
    elif isinstance(plain, float) and not isfinite(plain):
        plain = None
    return cast("T", plain)


def _are_finite(values: Sequence[Any]) -> bool:
    """Return whether a sequence holds finite numbers and nothing else, as most lists and the longest do."""
    try:
        return all(map(isfinite, values))
    except TypeError:
        return False


def json_bytes(document: dict[str, Any]) -> bytes:
    """Return strict JSON with a line per top-level key and per entry of a top-level list."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            entries = ",\n  ".join(json_text(entry) for entry in value)
            lines.append(f" {json_text(key)}: [\n  {entries}\n ]")
        else:
            lines.append(f" {json_text(key)}: {json_text(value)}")
    return utf8("{\n" + ",\n".join(lines) + "\n}\n")
