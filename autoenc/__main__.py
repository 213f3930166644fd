"""The program, however it is called: ``autoenc``, ``python -m autoenc``, ``hyperparam_optimizer.py``."""

from __future__ import annotations

import sys

__all__ = ["run"]


def run(prog: str | None = None) -> int:
    """Run a command by the arguments of the process.

    Nothing is imported before: Ctrl-C ends it with a word even while it still loads.

    Args:
        prog: Name of a program whose command is named by ``--mode``; None where the first word names it.

    Returns:
        The exit code.
    """
    try:
        from autoenc import cli

        return cli.main() if prog is None else cli.main_by_mode(sys.argv[1:], prog)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
