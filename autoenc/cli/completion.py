"""``completion``: a script that lets a shell complete commands and options."""

from __future__ import annotations

import argparse
from typing import Any

from autoenc.cli.flags import words_to_choose
from autoenc.cli.parser import make_parser
from autoenc.cli.topics import COMPLETION, SHOW
from autoenc.cli.verbs import COMMANDS
from autoenc.errors import InputError
from autoenc.settings.base import is_path
from autoenc.settings.layers import LayerSettings

__all__ = ["completion_script"]

_SHELLS = ("bash", "zsh", "tcsh")
_FILES = (*LayerSettings.model_fields, "folder")  # and whatever an option calls a path


def completion_script(words: list[str], prog: str) -> str:
    """Return the script.

    Args:
        words: What follows the verb: the name of a shell.
        prog: The program whose words are completed.

    Raises:
        InputError: If no shell is named, or the package that makes it is not there.
    """
    if len(words) != 1 or words[0] not in _SHELLS:
        got = " ".join(words) or "nothing"
        raise InputError(f"{COMPLETION} takes the name of a shell, {', '.join(_SHELLS)}; got {got}")
    try:
        import shtab
    except ImportError:
        raise InputError(f"{COMPLETION} needs shtab: pip install 'autoenc[completion]'") from None
    parser = make_parser(prog, for_shells=True)
    verbs = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, verb in verbs.choices.items():
        _tell_values(verb, {**LayerSettings.model_fields, **COMMANDS[name].settings.model_fields}, shtab.FILE)
    _add_further_verbs(verbs)
    script: str = shtab.complete(parser, shell=words[0])
    return script


def _tell_values(verb: argparse.ArgumentParser, fields: dict[str, Any], files: Any) -> None:
    """Let values of options be completed, too: words of which one is chosen, and files."""
    for action in verb._actions:
        field = fields.get(action.dest)
        if field is None:
            continue
        if is_path(field) or action.dest in _FILES:
            action.complete = files  # type: ignore[attr-defined]
            if not action.option_strings:  # also where the help does not show it
                action.help = ""
        action.choices = words_to_choose(field) or None


def _add_further_verbs(verbs: Any) -> None:
    """Add the verbs that are no commands with options of their own."""
    first, second = SHOW.split()
    shown = (
        verbs.add_parser(first, help="print options").add_subparsers().add_parser(second, help="of a command")
    )
    shown.add_argument("verb", choices=[name for name in COMMANDS if " " not in name])
    verbs.add_parser(COMPLETION, help="print a script for a shell").add_argument("shell", choices=_SHELLS)
