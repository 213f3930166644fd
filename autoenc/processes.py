"""Which process does something, and whether it is still there to go on with it."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

import psutil

__all__ = ["is_alive", "this_process"]


def this_process() -> list[Any]:
    """Host, process id and start time (seconds since 1970): no two processes share all three."""
    return [socket.gethostname(), os.getpid(), psutil.Process().create_time()]


def is_alive(process: Sequence[Any]) -> bool | None:
    """Whether the process of :func:`this_process` is still there; None if it is on another host."""
    host, pid, started = process
    if host != socket.gethostname():
        return None
    try:
        # The clock may be set between two looks; ids are not used again within a second.
        return bool(abs(psutil.Process(pid).create_time() - started) < 1)
    except psutil.Error:
        return False
