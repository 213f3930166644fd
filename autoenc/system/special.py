"""Reading small files that people name: a pipe or a device in their place is refused, not waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TextIO

from autoenc.errors import InputError

__all__ = ["check_own", "make_own_folder", "open_own", "read_regular", "refuse_link", "special_kind"]

_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip


def special_kind(path: Path) -> str | None:
    """Return what is there instead of a regular file; None for a file, and where nothing is."""
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


def make_own_folder(path: Path) -> None:
    """Make a folder of the program's own where there is none.

    Raises:
        InputError: If it is a symbolic link, through which files of another folder would be written.
    """
    refuse_link(path)
    path.mkdir(parents=True, exist_ok=True)


def check_own(path: Path) -> None:
    """See that a file of the program's own can be written here, and nothing that a link leads to.

    Raises:
        InputError: If there is a link, or anything else that is no file.
    """
    refuse_link(path)
    kind = special_kind(path)
    if kind is not None:
        raise InputError(f"{path}: is {kind}, but the program writes a file of this name")


def open_own(path: Path) -> TextIO:
    """Open a text file of the program's own to add to it; raises as :func:`check_own`."""
    check_own(path)

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)

    return open(path, "a", encoding="utf-8", opener=opener)


def read_regular(path: Path, name: str) -> bytes:
    """Return the content of a file.

    Args:
        path: The file.
        name: What an error message begins with.

    Raises:
        InputError: If it is no regular file, or cannot be read.
    """
    kind = special_kind(path)
    if kind is not None:
        raise InputError(f"{name}: is {kind}; the name of a file was expected")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from None
