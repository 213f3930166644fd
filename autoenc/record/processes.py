"""Identity of processes, and whether one is still alive."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

import psutil

__all__ = ["is_alive", "this_process"]


def this_process() -> dict[str, Any]:
    """Return host, process id and start time (seconds since 1970): no two processes share all three."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": psutil.Process().create_time()}


def is_alive(process: Mapping[str, Any]) -> bool | None:
    """Return whether the process of :func:`this_process` is still there; None where that cannot be known.

    It cannot of a process on another host, or of one that belongs to somebody else.
    """
    if process.get("host") != socket.gethostname():
        return None
    try:
        now = psutil.Process(process["pid"])
        # Numbers of processes are used again: the same one has also begun at the same time.
        return abs(now.create_time() - process["started"]) < 2 and now.status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return None
    except (psutil.NoSuchProcess, KeyError, TypeError, ValueError):
        return False
