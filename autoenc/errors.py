"""Errors that a user can cause: told in a line each, without a traceback."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["InputError"]


class InputError(ValueError):
    """Wrong input: what is wrong, where, and what would be right.

    Args:
        problems: One sentence, or several that are told together.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))
