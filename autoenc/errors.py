"""Errors that a user can cause, shown in a line each without a traceback."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from autoenc.system.text import escaped

__all__ = ["InputError", "Interrupted", "listed", "needing", "shortened"]

_MOST_CHARACTERS = 60


class InputError(ValueError):
    """Wrong input: what is wrong, where, and what would be right.

    Args:
        problems: One sentence, or several that are shown together; control characters in them, of names from
            foreign files, are escaped.

    Example:
        >>> try:
        ...     raise InputError(["--epochs must be at least 1, got 0", "--folds must not be 1"])
        ... except InputError as error:
        ...     print(error.problems[0])
        --epochs must be at least 1, got 0
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [
            escaped(problem) for problem in ([problems] if isinstance(problems, str) else problems)
        ]
        super().__init__("\n".join(self.problems))


def shortened(text: str, quoted: bool = True) -> str:
    """Return text for a message, quoted or as it is, without its middle where it is long."""
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[: _MOST_CHARACTERS * 2 // 3]}...{text[-_MOST_CHARACTERS // 4 :]}"
    return repr(text) if quoted else text


def listed(names: Sequence[str], most: int = 10, quoted: bool = True) -> str:
    """Return names for a message; of many the first ones, and how many more there are."""
    shown = ", ".join(shortened(name, quoted) for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Say how to install what is imported in a ``with`` block and not there.

    Args:
        what: What needs it, for people.
        extra: The extra of this package that adds it.

    Raises:
        InputError: In place of an ImportError.
    """
    try:
        yield
    except ImportError:
        raise InputError(f"{what}: pip install 'autoenc[{extra}]'") from None


class Interrupted(KeyboardInterrupt):
    """A search in Python was stopped by Ctrl-C.

    Attributes:
        results: What was found by then.
    """

    def __init__(self, results: Any) -> None:
        super().__init__("stopped; the results so far are this exception's `results`")
        self.results = results
