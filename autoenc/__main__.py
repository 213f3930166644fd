"""The program, however it is called: ``autoenc``, ``python -m autoenc``, ``hyperparam_optimizer.py``."""

from __future__ import annotations

import signal
import sys
from types import FrameType

__all__ = ["run"]

# What stops a search in order while it trains; here, what comes before and after that.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))


def run(prog: str | None = None) -> int:
    """Run a command by the arguments of the process.

    Nothing is imported before: a signal ends it with a word even while it still loads.

    Args:
        prog: Name of a program whose command is named by ``--mode``; None where the first word names it.

    Returns:
        The exit code.
    """
    received = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = number
        raise KeyboardInterrupt

    # One that is ignored, as in the background of a shell, stays so.
    heeded = [n for n in _SIGNALS if signal.getsignal(n) in (signal.SIG_DFL, signal.default_int_handler)]
    for number in heeded:
        signal.signal(number, stop)
    try:
        from autoenc import cli

        return cli.main() if prog is None else cli.main_by_mode(sys.argv[1:], prog)
    except BaseException as error:
        # A library that is interrupted while it loads may make another error of it.
        if isinstance(error, SystemExit) or not (received or isinstance(error, KeyboardInterrupt)):
            raise
        received = received or signal.SIGINT
        print(f"stopped by {signal.Signals(received).name}", file=sys.stderr)
        return 128 + received
    finally:
        for number in heeded:  # all is done; what libraries tidy up at the exit is of no interest to anybody
            signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(run())
