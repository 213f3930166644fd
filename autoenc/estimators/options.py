"""Parameters of the estimators: their rules and defaults are those of the declared options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autoenc.settings import Settings

__all__ = ["defaults_of", "plain", "seed_of"]


def defaults_of(kind: type[Settings]) -> dict[str, Any]:
    """Return declared defaults by option; of a list of one value that value."""
    declared = {name: field.default for name, field in kind.model_fields.items()}
    return {
        name: default[0] if isinstance(default, tuple) and len(default) == 1 else default
        for name, default in declared.items()
    }


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters that are not None, as plain values."""
    return {name: _plain(value) for name, value in given.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def seed_of(random_state: Any) -> Any:
    """Return a seed from a ``random_state``: a number, a generator, or None for NumPy's own generator."""
    from sklearn.utils import check_random_state

    if random_state is None or isinstance(random_state, np.random.RandomState):
        return check_random_state(random_state).randint(2**31)
    return random_state
