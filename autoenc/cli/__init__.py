"""The command line: verbs, flags made from the options, and the exit codes."""

from __future__ import annotations

from autoenc.cli.program import main, main_by_mode

__all__ = ["main", "main_by_mode"]
