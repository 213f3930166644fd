"""The command line: one verb a job, every flag generated from the settings."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from autoenc import __version__
from autoenc.errors import InputError
from autoenc.settings import (
    AnalyzeSettings,
    CompareSettings,
    EncodeSettings,
    MergeSettings,
    SearchSettings,
    Settings,
    TransferSettings,
    parse_settings,
)

__all__ = ["main"]


class _Command(NamedTuple):
    """A verb: its help, its options, and where its function is, named so that only what runs is imported."""

    help: str
    settings: type[Settings]
    function: str

    def run(self, settings: Any) -> int:
        module, _, name = self.function.partition(":")
        code: int = getattr(import_module(f"autoenc.commands.{module}"), name)(settings)
        return code


COMMANDS = {
    "search": _Command("train every hidden-layer stack and show the best", SearchSettings, "search:search"),
    "analyze": _Command(
        "show a search, also while it runs, and rebuild its reports", AnalyzeSettings, "analyze:analyze"
    ),
    "compare": _Command("draw the best loss against the latent size", CompareSettings, "compare:compare"),
    "merge": _Command("join the records of shards", MergeSettings, "merge:merge"),
    "transfer": _Command(
        "choose the autoencoder by what it is worth to predictions on labelled rows",
        TransferSettings,
        "transfer:transfer",
    ),
    "encode": _Command("write the latent points of a table's rows", EncodeSettings, "encode:encode"),
}


def main(argv: Sequence[str] | None = None, prog: str = "autoenc") -> int:
    """Run a command.

    Args:
        argv: Arguments, by default those of the process.
        prog: The program's name in help texts.

    Returns:
        The exit code: 0, 1 where the command did its work and the answer is bad, 2 for wrong input.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        name, given = _parse(arguments, prog)
        settings, problems = parse_settings(COMMANDS[name].settings, given)
        if settings is None:
            raise InputError(problems)
        return COMMANDS[name].run(settings)
    except InputError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our output went away; what was recorded is safe. The interpreter flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # as if SIGPIPE had ended the process
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """Tells wrong usage as any other wrong input."""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        raise InputError(f"{message}; {self.prog} --help shows how it is used")


def _parse(arguments: list[str], prog: str) -> tuple[str, dict[str, Any]]:
    """The command and its options as text; problems with the options' names are told with the rest."""
    parser = _Parser(
        prog=prog,
        description="Exhaustive search for the hidden layers of autoencoders on tables.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"autoenc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    flags: dict[str, bool] = {}
    if arguments and arguments[0] in COMMANDS:
        flags = _flags(COMMANDS[arguments[0]].settings)
    for name, command in COMMANDS.items():
        # hyperparam_optimizer.py is `search` under another name, and its help should say so.
        own = prog if prog != "autoenc" else f"autoenc {name}"
        sub = commands.add_parser(
            name, prog=own, help=command.help, description=command.help, allow_abbrev=False
        )
        sub.add_argument("--version", action="version", version=f"autoenc {__version__}")
        _add_options(sub, command.settings)
    namespace, unknown = parser.parse_known_args(_joined(arguments, flags))
    given = {name: value for name, value in vars(namespace).items() if name != "command"}
    if unknown:
        _, problems = parse_settings(COMMANDS[namespace.command].settings, given)
        # What follows an unknown flag is its value, and no second problem.
        told = [
            _unknown(word, flags)
            for before, word in zip([None, *unknown], unknown, strict=False)
            if word.startswith("-") or not (before and before.startswith("-") and "=" not in before)
        ]
        raise InputError([*told, *problems])
    return namespace.command, given


def _flags(settings: type[Settings]) -> dict[str, bool]:
    """Every spelling of every flag, and whether a value follows it."""
    return {
        f"--{spelling}": field.annotation is not bool
        for name, field in settings.model_fields.items()
        if not _is_positional(field)
        for spelling in {name, name.replace("_", "-")}
    }


def _add_options(parser: argparse.ArgumentParser, settings: type[Settings]) -> None:
    for name, field in settings.model_fields.items():
        spellings = [f"--{name}"] + ([f"--{name.replace('_', '-')}"] if "_" in name else [])
        text = f"{field.description}{_default_text(field)}".replace("%", "%%")
        if _is_positional(field):
            many = "+" if field.annotation is not str else None
            parser.add_argument(name, nargs=many, metavar=_positional_name(name), help=text)
        elif field.annotation is bool:
            parser.add_argument(
                *spellings, dest=name, action="store_true", default=argparse.SUPPRESS, help=text
            )
        else:
            # Values stay text here: the settings check all of them at once.
            parser.add_argument(
                *spellings, dest=name, default=argparse.SUPPRESS, metavar=_metavar(field), help=text
            )


def _is_positional(field: Any) -> bool:
    return bool((field.json_schema_extra or {}).get("positional"))


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
    if default is None:
        return ""
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f" (default: {shown})"


def _joined(arguments: list[str], flags: dict[str, bool]) -> list[str]:
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


def _unknown(word: str, flags: dict[str, bool]) -> str:
    near = difflib.get_close_matches(word.split("=")[0], list(flags), 1)
    hint = f"; did you mean {near[0]}?" if near else "; --help lists them"
    return f"{word} is not an option{hint}" if word.startswith("-") else f"{word!r} was not expected"
