"""Work on a device, whoever asks for it: one piece after the other, in a thread that ends with it.

cuBLAS has a handle for each thread that uses it, and torch a workspace for each handle and stream; both stay.
A thread that ends leaves its own to the next one, so that there is one set of them however many threads ask.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["OneByOne"]


_of_devices: dict[str, threading.Lock] = {}


class OneByOne:
    """Does one piece of work at a time.

    Args:
        device: Its name; a GPU is used by one of all that have the same.
    """

    def __init__(self, device: str = "cpu") -> None:
        own = threading.Lock()
        self._lock = own if device == "cpu" else _of_devices.setdefault(device, own)

    def do(self, work: Callable[[], Any], give_up: Callable[[], object] = lambda: None) -> Any:
        """Do a piece of work once those before it are done; return what it returns, or raise what it raises.

        Args:
            work: What to do; it must not ask for other work here.
            give_up: Called where the calling thread is interrupted; the work then ends soon.
        """
        returned: list[Any] = []
        raised: list[BaseException] = []

        def run() -> None:
            try:
                returned.append(work())
            except BaseException as error:
                raised.append(error)

        with self._lock:
            thread = threading.Thread(target=run, daemon=True)
            try:
                thread.start()
                thread.join()
            except BaseException:
                give_up()
                _wait_for(thread)  # or it would still be at work beside the next one
                raise
        if raised:
            raise raised.pop()
        return returned[0]


def _wait_for(thread: threading.Thread) -> None:
    """Wait for a thread to end, however often that is interrupted."""
    while thread.is_alive():
        with suppress(BaseException):
            thread.join()
