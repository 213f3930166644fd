"""The command that resumes a stopped search."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from autoenc.system.secrets import masked_command
from autoenc.system.text import warn

if TYPE_CHECKING:
    from autoenc.searching.signals import StopOnSignals
    from autoenc.settings import TrainingSettings, TransferSettings

__all__ = ["program_words", "same_command", "warn_stopped"]


def same_command(settings: TrainingSettings | TransferSettings) -> str:
    """Return what the user typed, ready to be typed again; it says where a password is not shown."""
    words = program_words()
    # Starting over is the one thing that resuming must not do.
    kept = [word for word in sys.argv[1:] if word != "--fresh"]
    by_file = settings.fresh and "--fresh" not in sys.argv
    command = [*words, *kept, *(["--no_fresh"] if by_file else [])]
    shown = masked_command(command)
    if shown != shlex.join(command):
        shown += (
            "   (with its password in the place of ***, or without one where PGPASSWORD or ~/.pgpass has it)"
        )
    return shown


def warn_stopped(
    signals: StopOnSignals, recorded: str, settings: TrainingSettings | TransferSettings, *more: str
) -> int:
    """Say that a signal stopped a search, what is recorded of it, and how to resume it.

    Args:
        signals: Which signal it was.
        recorded: What is recorded, in words.
        settings: The options of the search.
        *more: Further lines.

    Returns:
        The exit code.
    """
    warn(f"stopped by {signals.name}: {recorded}", f"resume with: {same_command(settings)}", *more)
    return signals.exit_code


def program_words() -> list[str]:
    """Return how this program was called."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return ["python", "-m", program.parent.name]
    return ["python", sys.argv[0]] if program.suffix == ".py" else [program.name]
