"""Flags, made from the options of a command."""

from __future__ import annotations

import argparse
import difflib
from typing import Any

from autoenc.settings import Settings
from autoenc.settings.options import words_of

__all__ = ["add_options", "flags_of", "joined", "unknown_word"]


def flags_of(settings: type[Settings]) -> dict[str, bool]:
    """Every spelling of every flag, and whether a value follows it."""
    return {
        spelling: field.annotation is not bool
        for name, field in settings.model_fields.items()
        if not _is_positional(field)
        for spelling in [*_spellings(name, field), *_negations(name, field)]
    }


def add_options(parser: argparse.ArgumentParser, settings: type[Settings]) -> None:
    """Add a flag for every option."""
    for name, field in settings.model_fields.items():
        spellings = _spellings(name, field)
        text = f"{field.description}{_default_text(field)}".replace("%", "%%")
        if _is_positional(field):
            many = "+" if field.annotation is not str else None
            parser.add_argument(name, nargs=many, metavar=_positional_name(name), help=text)
        elif field.annotation is bool:
            parser.add_argument(
                *spellings, dest=name, action="store_true", default=argparse.SUPPRESS, help=text
            )
            parser.add_argument(
                *_negations(name, field), dest=name, action="store_false", default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
            )  # fmt: skip
        elif words_of(field).get("repeated"):
            parser.add_argument(
                *spellings, dest=name, action="append", default=argparse.SUPPRESS, metavar="VALUE", help=text
            )
        else:
            # Values stay text here: the settings check all of them at once.
            parser.add_argument(
                *spellings, dest=name, default=argparse.SUPPRESS, metavar=_metavar(field), help=text
            )


def _spellings(name: str, field: Any) -> list[str]:
    """A flag with ``_`` and with ``-``; some are words that no Python name can be."""
    words = words_of(field)
    names = [words.get("flag", name), *words.get("aliases", ())] if not name.startswith("no_") else [name]
    if words.get("name") in names:  # as other commands call it, before its own older name
        names = sorted(names, key=lambda each: each != words["name"])
    return list(dict.fromkeys(f"--{each}" for one in names for each in (one, one.replace("_", "-"))))


def _negations(name: str, field: Any) -> list[str]:
    """The flags that turn a switch off."""
    return _spellings(f"no_{name}", field) if field.annotation is bool else []


def _is_positional(field: Any) -> bool:
    return bool(words_of(field).get("positional"))


def _positional_name(name: str) -> str:
    return name.removesuffix("s").upper()


def _metavar(field: Any) -> str:
    choices = getattr(field.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return "{" + ",".join(choices) + "}"
    return {int: "N", float: "X"}.get(field.annotation, "VALUE")


def _default_text(field: Any) -> str:
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
    """``--flag value`` as ``--flag=value``, so that a value may start with a dash (and be told as wrong)."""
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


def unknown_word(word: str, flags: dict[str, bool]) -> str:
    """What to say of a word that is none of the flags."""
    near = difflib.get_close_matches(word.split("=")[0], list(flags), 1)
    hint = f"; did you mean {near[0]}?" if near else "; --help lists them"
    return f"{word} is not an option{hint}" if word.startswith("-") else f"{word!r} was not expected"
