"""The program, however it is called: ``autoenc``, ``python -m autoenc``, ``hyperparam_optimizer.py``."""

from __future__ import annotations

import signal
import sys
from types import FrameType

__all__ = ["run"]


def run(prog: str | None = None) -> int:
    """Run a command by the arguments of the process.

    Nothing is imported before: Ctrl-C ends it with a word even while it still loads.

    Args:
        prog: Name of a program whose command is named by ``--mode``; None where the first word names it.

    Returns:
        The exit code.
    """
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    heeded = (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )  # not so in the background of a shell
    if heeded:
        signal.signal(signal.SIGINT, interrupt)
    try:
        from autoenc import cli

        return cli.main() if prog is None else cli.main_by_mode(sys.argv[1:], prog)
    except BaseException as error:
        # A library that is interrupted while it loads may make another error of it.
        if isinstance(error, SystemExit) or not (interrupted or isinstance(error, KeyboardInterrupt)):
            raise
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        if heeded:  # all is done; what libraries tidy up at the exit is of no interest to anybody
            signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(run())
