"""``completion``: a script that lets a shell complete commands and options."""

from __future__ import annotations

from autoenc.cli.parser import make_parser
from autoenc.cli.topics import COMPLETION
from autoenc.errors import InputError

__all__ = ["completion_script"]

_SHELLS = ("bash", "zsh", "tcsh")


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
    script: str = shtab.complete(make_parser(prog, for_shells=True), shell=words[0])
    return script
