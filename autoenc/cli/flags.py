"""Flags, made from the options of a command."""

from __future__ import annotations

import argparse
import difflib
import shlex
from pathlib import Path
from typing import Any

from autoenc.settings import Settings
from autoenc.settings.options import Role, options_of, words_of

__all__ = [
    "TITLES", "add_options", "default_text", "flags_of", "joined", "spellings", "unknown_word",
    "words_to_choose",
]  # fmt: skip


def flags_of(settings: type[Settings]) -> dict[str, bool]:
    """Return every spelling of every flag, and whether a value follows it."""
    return {
        spelling: field.annotation is not bool
        for name, field in settings.model_fields.items()
        if not _is_positional(field)
        for spelling in [*spellings(name, field), *_negations(name, field)]
    }


TITLES: dict[Role, str] = {
    "data": "data",
    "judging": "validation and objective",
    "space": "search space",
    "training": "training",
    "progress": "budget and resuming",
    "place": "files and machines",
    "display": "output",
}
"""The title over the options of each role."""


def add_options(parser: argparse.ArgumentParser, settings: type[Settings], are_titled: bool = True) -> None:
    """Add a flag for every option, under a title for each role where they are to have one."""
    fields = settings.model_fields
    for name, field in fields.items():
        if words_of(field).get("positional_too"):
            parser.add_argument(
                name, nargs="?", default=argparse.SUPPRESS, metavar="TABLE", help=argparse.SUPPRESS
            )
        if _is_positional(field):
            many = "+" if field.annotation is not str else None
            parser.add_argument(name, nargs=many, metavar=_positional_name(name), help=_help(field))
    for role, title in TITLES.items():
        group = parser.add_argument_group(title) if are_titled else parser
        for name in options_of(settings, role):
            if not _is_positional(fields[name]):
                _add_flag(group, name, fields[name])


def _add_flag(group: argparse._ActionsContainer, name: str, field: Any) -> None:
    more: dict[str, Any] = {"metavar": _metavar(field)}  # values stay text: the settings check all at once
    if field.annotation is bool:
        more = {"action": "store_true"}
        group.add_argument(
            *_negations(name, field), dest=name, action="store_false", default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )  # fmt: skip
    elif words_of(field).get("repeated"):
        more = {"action": "append", "metavar": "VALUE"}
    group.add_argument(
        *spellings(name, field), dest=name, default=argparse.SUPPRESS, help=_help(field), **more
    )


def _help(field: Any) -> str:
    return f"{field.description}{default_text(field)}".replace("%", "%%")


def spellings(name: str, field: Any) -> list[str]:
    """Return a flag with ``_`` and with ``-``; some are words that no Python name can be."""
    words = words_of(field)
    names = [words.get("flag", name), *words.get("aliases", ())] if not name.startswith("no_") else [name]
    if words.get("name") in names:  # as other commands call it, before its own older name
        names = sorted(names, key=lambda spelling: spelling != words["name"])
    return list(dict.fromkeys(f"--{spelling}" for one in names for spelling in (one, one.replace("_", "-"))))


def _negations(name: str, field: Any) -> list[str]:
    """Return the flags that turn a switch off."""
    return spellings(f"no_{name}", field) if field.annotation is bool else []


def _is_positional(field: Any) -> bool:
    return bool(words_of(field).get("positional"))


def _positional_name(name: str) -> str:
    return name.removesuffix("s").upper()


def words_to_choose(field: Any) -> tuple[str, ...]:
    """Return the words of which one has to be an option's value; none where others can be."""
    choices = getattr(field.annotation, "__args__", ())
    return choices if all(isinstance(choice, str) for choice in choices) else ()


def _metavar(field: Any) -> str:
    if choices := words_to_choose(field):
        return "{" + ",".join(choices) + "}"
    return {int: "N", float: "X"}.get(field.annotation, "VALUE")


def default_text(field: Any) -> str:
    """Return what help says of an option's default, in brackets; empty where there is nothing to say."""
    if field.annotation is bool:
        return ""
    if field.is_required():
        return " (required)"
    default = field.get_default(call_default_factory=True)
    if default is None or default == ():
        return ""
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f" (default: {shown})"


def joined(arguments: list[str], flags: dict[str, bool]) -> list[str]:
    """Return ``--flag value`` as ``--flag=value``, so that a value may start with a dash."""
    joined: list[str] = []
    waiting = False
    for word in arguments:
        if waiting and word not in flags:
            joined[-1] += f"={word}"
            waiting = False
        else:
            joined.append(word)
            waiting = flags.get(word, False)
    return joined


def unknown_word(word: str, flags: dict[str, bool], settings: type[Settings]) -> str:
    """Return the message for a word that is none of the flags of a command with these settings."""
    instead = settings.instead_of(word.split("=")[0].removeprefix("--").replace("-", "_"))
    if word.startswith("--") and instead:
        return f"{word.split('=')[0]} is not an option here; {instead}"
    if not instead and (others := _commands_with(word)):
        return f"{word.split('=')[0]} is an option of {', '.join(others[:3])}, and not of this command"
    if not word.startswith("-"):
        takes_table = "--data_path" in flags and Path(word).is_file()
        hint = f"; did you mean --data_path {shlex.quote(word)}?" if takes_table else ""
        return f"{word!r} was not expected{hint}"
    near = difflib.get_close_matches(word.split("=")[0], list(flags), 1)
    hint = f"; did you mean {near[0]}?" if near else "; --help lists them"
    return f"{word} is not an option{hint}"


def _commands_with(word: str) -> list[str]:
    """Return the commands that have a flag, the searches first."""
    from autoenc.cli.verbs import COMMANDS

    flag = word.split("=")[0]
    return [name for name, command in COMMANDS.items() if flag in flags_of(command.settings)]
