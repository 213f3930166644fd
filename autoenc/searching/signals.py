"""Turning signals into an orderly stop."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from autoenc.engines import StopFlag

__all__ = ["StopOnSignals"]


class StopOnSignals:
    """Within the block, Ctrl-C, SIGTERM and SIGUSR1 set a flag instead of ending the process.

    SIGUSR1 is what SLURM sends ahead of preemption. A second signal ends the process at once; whatever
    was recorded by then is safe. In a thread that is not the main one signals stay with whoever has them.

    Attributes:
        flag: Set by the first signal.
        number: The signal that came; None while none did.
    """

    _SIGNALS = tuple(
        getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
    )

    def __init__(self) -> None:
        self.flag = StopFlag()
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignals:
        if threading.current_thread() is not threading.main_thread():
            return self  # Python gives signals to the main thread alone
        self._before = {number: signal.signal(number, self._received) for number in self._SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            os._exit(128 + number)
        self.number = number
        self.flag.set()

    @property
    def exit_code(self) -> int:
        """By convention 128 and the signal's number."""
        return 128 + (self.number or 0)

    @property
    def name(self) -> str:
        """The signal's name, e.g. ``SIGTERM``."""
        return signal.Signals(self.number).name if self.number is not None else ""
