"""Checks that rows can be divided as asked, with messages of our own instead of scikit-learn's."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.system.text import counted

__all__ = ["Labels", "folds_problem", "holdout_problem", "rare_class"]

Labels = NDArray[Any] | None


def holdout_problem(n_rows: int, share: float, classes: Labels, groups: Labels) -> str | None:
    """Return why rows cannot be divided into training and test rows; None if they can.

    Args:
        n_rows: All rows.
        share: Of the test rows.
        classes: Of each row, where every part keeps their shares.
        groups: Of each row, where those of one stay together.
    """
    n_groups = None if groups is None else np.unique(groups).size
    needed = 2 if classes is None else round(1 / share)
    if n_groups is not None and n_groups < needed:
        return f"its rows are of {counted(n_groups, 'group')}, but at least {needed} are needed"
    if classes is None or groups is not None:
        return None
    names, counts = np.unique(classes, return_counts=True)
    if counts.min() < 2:
        rare = names[counts.argmin()]
        return f"class {str(rare)!r} has 1 row, but every class needs at least 2, one on each side"
    smaller = min(ceil(share * n_rows), n_rows - ceil(share * n_rows))
    if names.size > smaller:
        return f"there are {names.size:,} classes, but only {counted(smaller, 'row')} on one side"
    return None


def folds_problem(n_folds: int, n_rows: int, classes: Labels, groups: Labels) -> str | None:
    """Return why training rows cannot be divided into folds, as :func:`holdout_problem` does."""
    if n_rows < n_folds:
        is_there = "is" if n_rows == 1 else "are"
        return f"there {is_there} only {counted(n_rows, 'training row')}, but every fold needs at least 1"
    n_groups = n_folds if groups is None else np.unique(groups).size
    if n_groups < n_folds:
        return f"the training rows are of {counted(n_groups, 'group')}, but every fold needs at least 1"
    if classes is not None:
        names, counts = np.unique(classes, return_counts=True)
        if counts.max() < n_folds:
            most = names[counts.argmax()]
            largest = f"the largest, {str(most)!r}, has {counts.max():,}"
            return f"no class has {n_folds} training rows, one for every fold; {largest}"
    return None


def rare_class(n_folds: int, classes: Labels) -> str | None:
    """Return a warning where some classes are too rare to be in every fold; None where all are."""
    if classes is None:
        return None
    names, counts = np.unique(classes, return_counts=True)
    if counts.min() >= n_folds:
        return None
    rare = f"class {str(names[counts.argmin()])!r} has {counted(int(counts.min()), 'training row')}"
    return f"{rare}, fewer than the {n_folds} folds, and is missing in some of them"
