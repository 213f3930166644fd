"""Calls of the package's functions from Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from autoenc.errors import InputError
from autoenc.system.surroundings import restoring

__all__ = ["called"]


@contextmanager
def called() -> Iterator[None]:
    """Leave the process as it was after a call, and let problems name ``epochs``, not ``--epochs``."""
    try:
        with restoring():
            yield
    except InputError as error:
        raise InputError([re.sub(r"--(?=[a-z])", "", problem) for problem in error.problems]) from None
