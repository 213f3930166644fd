"""Matplotlib as it is needed here: figures that are written to files, and no backend.

A backend is what shows figures on a screen. ``MPLBACKEND`` may name one that is not there, as a notebook does
to every command that it starts, and Matplotlib then refuses to be imported at all.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from autoenc.system.startup import is_program

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["import_figure"]


def _import_matplotlib() -> None:
    """Import it where the variable is set, and take that for no more than the wish that it is."""
    wish = os.environ.get("MPLBACKEND")
    if not wish or "matplotlib" in sys.modules:
        return
    del os.environ["MPLBACKEND"]
    try:
        import matplotlib
    finally:
        os.environ["MPLBACKEND"] = wish
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = wish


def import_figure() -> type[Figure]:
    """Return Matplotlib's figure, which a process of the program itself imports in half of the time.

    The other half goes into docstrings that list the properties of each class, and nobody reads them there.
    """
    if "matplotlib.figure" not in sys.modules and is_program():
        from matplotlib import artist

        listing = artist.kwdoc
        artist.kwdoc = lambda artist: ""
        try:
            import matplotlib.figure  # noqa: F401
        finally:
            artist.kwdoc = listing
    from matplotlib.figure import Figure

    return Figure


_import_matplotlib()
