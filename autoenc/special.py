"""Reading small files that people name: a pipe or a device in their place is refused, not waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from autoenc.errors import InputError

__all__ = ["read_regular", "refuse_link", "special_kind"]

_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip


def special_kind(path: Path) -> str | None:
    """What is there instead of a regular file, in words; None for a file, and where nothing is."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # opening it will say why
        return None
    return next((words for is_kind, words in _KINDS if is_kind(mode)), None)


def refuse_link(path: Path) -> None:
    """See that a file of the program's own is no symbolic link, which somebody else may have put there.

    Raises:
        InputError: If it is: writing there would change whatever file it leads to.
    """
    if path.is_symlink():
        raise InputError(
            f"{path}: is a symbolic link to {os.readlink(path)}, and not this program's own file; remove it"
        )


def read_regular(path: Path, told: str) -> bytes:
    """The content of a file.

    Args:
        path: The file.
        told: What a problem is told about.

    Raises:
        InputError: If it is no regular file, or cannot be read.
    """
    kind = special_kind(path)
    if kind is not None:
        raise InputError(f"{told}: is {kind}; the name of a file was expected")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{told}: cannot be read: {error.strerror or error}") from None
