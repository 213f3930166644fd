"""Pictures that are drawn only where what they show has changed: drawing is most of the time of a report."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.system.paths import write_atomically
from autoenc.system.png import png_content

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
        write_atomically(path, png_content(draw(*shown), {_KEY: key}))


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
    files = sorted(Path(__file__).parent.glob("*.py"))
    code = b"".join(file.read_bytes() for file in files)
    for path in _style_files():
        with suppress(OSError):
            code += path.read_bytes()
    return hashlib.sha256(code + f"{version('matplotlib')} {_changed_style()!r}".encode()).hexdigest()


def _style_files() -> Iterator[Path]:
    """Yield where Matplotlib looks for its user's settings; it is not imported to tell them."""
    name = "matplotlibrc"
    yield Path(name)
    if named := os.environ.get("MATPLOTLIBRC"):
        yield from (Path(named), Path(named, name))
    if named := os.environ.get("MPLCONFIGDIR"):
        yield Path(named, name)
        return
    with suppress(RuntimeError):  # no home
        yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "matplotlib", name)
        yield Path.home() / ".matplotlib" / name
    if named := os.environ.get("LOCALAPPDATA"):
        yield Path(named, "matplotlib", name)


def _changed_style() -> dict[str, Any]:
    """Return the settings that this process has changed since they were read from these files."""
    if "matplotlib" not in sys.modules:
        return {}
    import matplotlib

    # Not by their own items, which would go and look for a backend.
    style, read = dict(dict.items(matplotlib.rcParams)), dict(dict.items(matplotlib.rcParamsOrig))
    return {
        name: value
        for name, value in style.items()
        if not name.startswith("backend") and value != read.get(name)
    }
