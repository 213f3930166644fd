"""Columns that say which rows belong together: labels as they are written, some of them missing."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from autoenc.data.markers import MISSING_WORDS
from autoenc.errors import shortened
from autoenc.system.text import counted

__all__ = ["label_warnings", "separate_groups"]


def separate_groups(labels: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return groups in which each row without a label is a group of its own."""
    groups = labels.astype(object)
    missing = np.flatnonzero(groups == "")
    if missing.size:
        # No label holds a line of its own that is blank, as blank ones are missing.
        groups[missing] = [f"\n\nrow {row}" for row in missing]
    return groups


def label_warnings(
    labels: dict[str, NDArray[np.object_]], stratify: str | None, group: str | None
) -> list[str]:
    """Return what people should know of labels that are missing or look like it, a sentence each."""
    warnings = []
    missing = {name: int(np.count_nonzero(column == "")) for name, column in labels.items()}
    if group and missing[group]:
        warnings.append(
            f"{counted(missing[group], 'row')} without a group in {shortened(group)}: "
            "each is a group of its own"
        )
    if stratify and missing[stratify]:
        warnings.append(
            f"{counted(missing[stratify], 'row')} without a class in {shortened(stratify)}: "
            "together they are a class"
        )
    for name, column in labels.items():
        words = {word: count for word, count in Counter(column.tolist()).items() if word in MISSING_WORDS}
        for word, count in sorted(words.items()):
            warnings.append(
                f"{word} is taken for a label in {counted(count, 'row')} of {shortened(name)}; "
                f"if it means that there is none, give --na_values {word}"
            )
    return warnings
