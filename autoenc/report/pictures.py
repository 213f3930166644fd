"""Pictures that are drawn only where what they show has changed: drawing is most of the time of a report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from autoenc.system.paths import write_atomically

__all__ = ["write_picture"]

_KEY = "autoenc"
_HEAD, _END = 4096, b"IEND\xaeB`\x82"  # bytes in which the key stands, and those that end a whole PNG


def write_picture(path: Path, draw: Callable[..., Figure], *shown: Any) -> None:
    """Write a picture as PNG, unless the one that is there shows the same.

    The file says by a digest what it shows and what drew it.

    Args:
        path: The file.
        draw: Makes the figure of what is shown.
        shown: What is shown: plain values and tuples of them, whose ``repr`` tells all.

    Raises:
        OSError: If it cannot be written; the old file is then as it was.
    """
    key = hashlib.sha256(f"{_drawn_by()} {draw.__qualname__} {shown!r}".encode()).hexdigest()
    if not _shows(path, key):
        write_atomically(path, lambda file: draw(*shown).savefig(file, format="png", metadata={_KEY: key}))


def _shows(path: Path, key: str) -> bool:
    """Return whether there is a whole picture with this key."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        content = path.read_bytes()
    except OSError:
        return False
    return f"{_KEY}\0{key}".encode() in content[:_HEAD] and content.endswith(_END)


@cache
def _drawn_by() -> str:
    """Return a digest of the code that draws, of Matplotlib's version, and of its user's settings."""
    import matplotlib

    files = sorted(Path(__file__).parent.glob("*.py"))
    code = b"".join(file.read_bytes() for file in files)
    # Not by its own items, which would go and look for a backend.
    style = {name: value for name, value in dict.items(matplotlib.rcParams) if not name.startswith("backend")}
    return hashlib.sha256(code + f"{matplotlib.__version__} {style!r}".encode()).hexdigest()
