"""The program, however it is called: ``autoenc``, ``python -m autoenc``, ``hyperparam_optimizer.py``."""

from __future__ import annotations

import sys

try:
    import os
    import signal
    import threading
    from contextlib import suppress
    from types import FrameType

    from autoenc.system.frames import in_one_piece
    from autoenc.system.startup import end_quickly, prepare_process
except KeyboardInterrupt:  # before there is anything to be stopped in order
    print("stopped by SIGINT", file=sys.stderr)
    sys.exit(130)

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

    # One that is ignored, as in the background of a shell, stays so; only the main thread may ask for any.
    heeded = [n for n in _SIGNALS if signal.getsignal(n) in (signal.SIG_DFL, signal.default_int_handler)]
    if threading.current_thread() is not threading.main_thread():
        heeded = []
    try:
        for number in heeded:
            signal.signal(number, stop)
        prepare_process()
        code = _flushed(in_one_piece(lambda: _main(prog)))
        _end_at_once_without_memory(code)
        return code
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
        end_quickly()


def _main(prog: str | None) -> int:
    from autoenc import cli

    return cli.main() if prog is None else cli.main_by_mode(sys.argv[1:], prog)


def _flushed(code: int) -> int:
    """Flush standard output; report errors here, not in the interpreter at its exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output went away, which is no error of ours
        sys.stdout = None
        return code or 128 + 13
    except OSError as error:
        sys.stdout = None
        print(f"error: standard output: {error.strerror}", file=sys.stderr)
        return code or 1
    return code


def _end_at_once_without_memory(code: int) -> None:
    """End the process where memory or threads have run out: what libraries tidy up may then never end."""
    trouble = sys.modules.get("autoenc.system.trouble")
    if trouble is not None and trouble.has_run_out:
        with suppress(OSError, AttributeError, ValueError):  # closed streams
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(run())
