"""Names of other people in pictures: shown as they are, never typeset, never longer than there is room."""

from __future__ import annotations

from collections.abc import Sequence

from autoenc.system.text import escaped

__all__ = ["counted", "listed_values", "picture_name"]

_LONGEST = 40


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, e.g. ``1 trial`` or ``2,008 trials``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def listed_values(values: Sequence[object]) -> str:
    """Return values of an option as they are given, e.g. ``20,100``."""
    return ",".join(map(str, values))


def picture_name(name: object, longest: int = _LONGEST) -> str:
    """Return a name for a picture.

    Matplotlib takes what stands between dollar signs for mathematics, and leaves out of a legend what begins
    with an underscore.

    Args:
        name: Of a column, parameter, choice or study.
        longest: Characters that there is room for; a longer name ends in an ellipsis.
    """
    text = escaped(name)
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
