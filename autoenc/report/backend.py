"""Matplotlib as it is needed here: figures that are written to files, and no backend.

A backend is what shows figures on a screen. ``MPLBACKEND`` may name one that is not there, as a notebook does
to every command that it starts, and Matplotlib then refuses to be imported at all.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__: list[str] = []


def _import_matplotlib() -> None:
    """Import it, and take the variable for no more than the wish that it is."""
    if "matplotlib" in sys.modules:
        return
    wish = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if wish is not None:
            os.environ["MPLBACKEND"] = wish
    if wish:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = wish


_import_matplotlib()
