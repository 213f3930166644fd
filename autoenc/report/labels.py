"""Names of other people in pictures: shown as they are, never typeset, never longer than there is room."""

from __future__ import annotations

from autoenc.system.text import escaped

__all__ = ["picture_name", "wrapped_name"]

_LONGEST = 40
_MOST_LINES = 4


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


def wrapped_name(name: object, width: int = _LONGEST) -> str:
    """Return a name of parts for a picture, on as many lines as it needs; see :func:`picture_name`.

    Args:
        name: Of a trial: a stack and its options.
        width: Characters of a line.

    Examples:
        >>> print(wrapped_name("256-128, initial_lr 0.003, activation relu, dropout 0.1"))
        256-128, initial_lr 0.003,
        activation relu, dropout 0.1
    """
    lines = [""]
    for part in picture_name(name, _MOST_LINES * width).split(", "):
        if lines[-1] and len(lines[-1]) + len(part) + 2 > width:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] += f", {part}" if lines[-1] else part
    return "\n".join(lines)
