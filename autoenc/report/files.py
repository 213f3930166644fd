"""Output files: written into a folder, and listed for the screen, each with a word for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autoenc.system.paths import Content, write_atomically

__all__ = ["Files", "Written", "files_lines", "write_files"]

Files = Iterable[tuple[str, Path | str]]
"""Words and files."""
Written = list[tuple[str, Path]]
"""Files that were written, a word for each before it."""


def write_files(folder: Path, files: Iterable[tuple[str, str, Content]]) -> Written:
    """Write files into a folder, each as soon as its content is there.

    Args:
        folder: An existing one.
        files: A word for each, its name, and its content.

    Raises:
        OSError: If one cannot be written; every file is then whole, the old one or the new one.
    """
    written = []
    for word, name, content in files:
        write_atomically(folder / name, content)
        written.append((word, folder / name))
    return written


def files_lines(files: Files) -> list[str]:
    """Return a line per output file, its word first."""
    return [f"{word:<13} {path}" for word, path in files]
