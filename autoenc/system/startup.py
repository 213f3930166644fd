"""Start of the program: streams, and libraries that fit the process's memory."""

from __future__ import annotations

import gc
import os
import sys

__all__ = ["end_quickly", "is_program", "memory_is_limited", "prepare_process"]

# Libraries that make a thread a core as they load: where one cannot be made, OpenBLAS sends its process
# SIGINT, or waits for it without end. Fits have one thread each anyway.
_THREAD_COUNTS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

# New objects until they are looked through for circles: imports make hundreds of thousands, and hardly any
# circle among them is garbage. Looking after each 700, as usual, takes a tenth of a short command's time, and
# after each 50,000 still a twentieth.
_OBJECTS_BETWEEN_COLLECTIONS = 400_000

_is_program = False


def is_program() -> bool:
    """Return whether this process is the program's own, and not somebody's who uses the package."""
    return _is_program


def prepare_process() -> None:
    """Make standard streams safe to write to, and libraries modest; for the program's own process alone.

    A daemon or a shell (``2>&-``) may have closed them: the next file to be opened, a record perhaps, would
    then take their place and receive what libraries write to them.
    """
    global _is_program
    _is_program = True
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    _occupy_standard_descriptors()
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        # What the terminal cannot show (LC_ALL=C, a file name that is no text) is escaped.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Options are nobody else's models: Pydantic need not look through all that is installed for its plugins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Pictures are files: no backend is needed, and a notebook's is none that this process has.
    os.environ.pop("MPLBACKEND", None)
    # NumPy's BLAS computes in one thread, as in every search. Others would be started with NumPy and look for
    # work, which takes a twentieth of a short command's time.
    for name in _THREAD_COUNTS if memory_is_limited() else _THREAD_COUNTS[:1]:
        os.environ.setdefault(name, "1")


def end_quickly() -> None:
    """Let the interpreter end without a last look through all objects; for the program's own process alone.

    That look takes some tenths of a second, and what it would find goes with the process.
    """
    gc.freeze()


def memory_is_limited() -> bool:
    """Return whether the addresses of this process are limited, as by ``ulimit -v``."""
    try:
        import resource
    except ImportError:  # Windows
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _occupy_standard_descriptors() -> None:
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            return
        os.set_inheritable(number, True)
