"""What a process of the program needs before anything else: streams that can be written to."""

from __future__ import annotations

import os
import sys

__all__ = ["prepare_process"]


def prepare_process() -> None:
    """Make standard streams safe to write to; for the program's own process alone.

    A daemon or a shell (``2>&-``) may have closed them: the next file to be opened, a record perhaps, would
    then take their place and receive what libraries write to them.
    """
    _occupy_standard_descriptors()
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        # What the terminal cannot show (LC_ALL=C, a file name that is no text) is escaped.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Pictures are files: no backend is needed, and a notebook's is none that this process has.
    os.environ.pop("MPLBACKEND", None)


def _occupy_standard_descriptors() -> None:
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            return
        os.set_inheritable(number, True)
