"""Weightings of loss, size and time, read from text without evaluating it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["parse_score", "score_parts"]

_MEASURES = ("loss", "params", "time")


def parse_score(text: str) -> dict[str, float]:
    """Read a weighting such as ``0.8*loss + 0.2*time``.

    Args:
        text: A sum of weights times ``loss``, ``params`` or ``time``.

    Returns:
        Weights by name.

    Raises:
        ValueError: If it is no such sum, names something twice, or a weight is not positive.
    """
    weights: dict[str, float] = {}
    for term in text.split("+"):
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*\*\s*([a-z]+)\s*", term)
        if not match or match[2] not in _MEASURES:
            known = ", ".join(_MEASURES)
            raise ValueError(
                f"must be a sum of weights times {known}, e.g. 0.8*loss+0.2*time, "
                f"got {term.strip()!r} in {text!r}"
            )
        if match[2] in weights:
            raise ValueError(f"must name {match[2]} once, got {text!r}")
        if float(match[1]) <= 0:
            raise ValueError(f"must have positive weights, got {term.strip()!r}")
        weights[match[2]] = float(match[1])
    return weights


def score_parts(text: str, measures: Mapping[str, Sequence[float]]) -> dict[str, NDArray[np.float64]]:
    """Return what each measure adds to the score of each trial.

    Each measure runs from 0, its lowest among the trials, to 1, its highest: weights need no units.

    Args:
        text: A weighting as :func:`parse_score` reads it.
        measures: Values of ``loss``, ``params`` and ``time``, a trial each.

    Returns:
        Weighted measures by name; the score is their sum.
    """
    parts = {}
    for name, weight in parse_score(text).items():
        values = np.array(measures[name], float)
        parts[name] = weight * (values - values.min()) / (np.ptp(values) or 1.0)
    return parts
