"""The command line: one verb a job, every flag generated from the settings."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from autoenc import __version__
from autoenc.config import Resolution, load_layers, resolve
from autoenc.config.words import SPACE_OPTIONS
from autoenc.data.sources import pipes_kept
from autoenc.errors import InputError
from autoenc.settings import (
    AnalyzeSettings,
    CompareSettings,
    EncodeSettings,
    MergeSettings,
    PhasesSettings,
    PivotSettings,
    PredictSettings,
    RefineSettings,
    RepairSettings,
    SearchSettings,
    Settings,
    SlurmSettings,
    TrainBestSettings,
    TransferSettings,
    TuneSettings,
)
from autoenc.settings.layers import LayerSettings
from autoenc.settings.runs import RunsDiffSettings, RunsSettings
from autoenc.settings.shards import shard_option
from autoenc.system.machine import PIPE_CLOSED, close_output, what_happened
from autoenc.system.text import OUTPUT, escape_output, forget_warnings, say, warn
from autoenc.system.trouble import trouble

__all__ = ["main", "main_by_mode"]


class _Command(NamedTuple):
    """A verb: its help, its options, and where its function is, named so that only what runs is imported.

    One that passes its options on is given them as they were typed, too.
    """

    help: str
    settings: type[Settings]
    function: str
    passes_on: bool = False

    def run(self, settings: Any, words: Sequence[str]) -> int:
        module, _, name = self.function.partition(":")
        function = getattr(import_module(f"autoenc.commands.{module}"), name)
        code: int = function(settings, words) if self.passes_on else function(settings)
        return code


COMMANDS = {
    "search": _Command("train every hidden-layer stack and show the best", SearchSettings, "search:search"),
    "tune": _Command("search stacks and recipes adaptively", TuneSettings, "tune:tune"),
    "train-best": _Command(
        "train the best trial of a search in full", TrainBestSettings, "train_best:train_best"
    ),
    "analyze": _Command(
        "show a search, also while it runs, and rebuild its reports", AnalyzeSettings, "analyze:analyze"
    ),
    "compare": _Command("draw the best loss against the latent size", CompareSettings, "compare:compare"),
    "pivot": _Command(
        "draw a metric over two hyperparameters, importances, and a ranking by a score",
        PivotSettings,
        "pivot:pivot",
    ),
    "refine": _Command(
        "write a fine search around the best of a coarse one", RefineSettings, "refine:refine"
    ),
    "phases": _Command(
        "search in phases: baseline, coarse, fine, bayesian, each from the one before",
        PhasesSettings,
        "phases:phases",
    ),
    "repair": _Command(
        "write a damaged record anew, with all of it that holds", RepairSettings, "repair:repair"
    ),
    "merge": _Command("join the records of shards", MergeSettings, "merge:merge"),
    "transfer": _Command(
        "choose the autoencoder by what it is worth to predictions on labelled rows",
        TransferSettings,
        "transfer:transfer",
    ),
    "slurm": _Command("search as a SLURM job array", SlurmSettings, "slurm:slurm", passes_on=True),
    "encode": _Command("write the latent points of a table's rows", EncodeSettings, "encode:encode"),
    "predict": _Command("write what heads predict for a table's rows", PredictSettings, "encode:predict"),
    "runs": _Command("list earlier runs of some folders", RunsSettings, "runs:runs"),
    "runs diff": _Command("show what differs between two runs", RunsDiffSettings, "runs:runs_diff"),
}

_SHOW = "config show"


def main(argv: Sequence[str] | None = None, prog: str = "autoenc", epilog: str = "") -> int:
    """Run a command.

    Args:
        argv: Arguments, by default those of the process.
        prog: The program's name in help texts.
        epilog: What stands at the end of the commands' help.

    Returns:
        The exit code: 0, 1 where the command did its work and the answer is bad, 2 for wrong input.
    """
    with escape_output():
        return _main(list(sys.argv[1:] if argv is None else argv), prog, epilog)


def _main(arguments: list[str], prog: str, epilog: str) -> int:
    forget_warnings()
    try:
        arguments = _joined_verbs(arguments)
        if arguments[:1] == [_SHOW]:
            name, resolution = _parse(arguments[1:], f"{prog} {_SHOW}")
            show = import_module("autoenc.commands.config").show
            say(*show(name, resolution), flush=True)
            return 0
        name, resolution = _parse(arguments, prog, epilog)
        words = _joined(arguments, _flags(COMMANDS[name].settings))[1:]
        try:
            with pipes_kept():
                code = COMMANDS[name].run(resolution.settings, words)
        except InputError as error:
            raise InputError([resolution.located(problem) for problem in error.problems]) from None
        if sys.stdout is not None:
            sys.stdout.flush()  # here its errors can be told
        return code
    except InputError as error:
        warn(*(f"error: {problem}" for problem in error.problems))
        return 2
    except BrokenPipeError:
        close_output()
        return PIPE_CLOSED
    except OSError as error:
        if error.filename == OUTPUT:
            close_output()
        warn(f"error: {what_happened(error)}")
        return 1
    except Exception as error:
        if (reason := trouble(error)) is None:
            raise
        warn(f"error: {reason}")
        return 1


MODES = {"search": "search", "tune": "tune", "train_best": "train-best"}


def main_by_mode(argv: Sequence[str], prog: str) -> int:
    """:func:`main` for a program whose command is named by ``--mode``, ``search`` by default."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--mode", default="search")
    try:
        options, rest = parser.parse_known_args(list(argv))
    except argparse.ArgumentError as error:
        warn(f"error: --mode: {error.message}; it is one of {', '.join(MODES)}")
        return 2
    if options.mode not in MODES:
        warn(f"error: --mode must be one of {', '.join(MODES)}, got {options.mode!r}")
        return 2
    told = f"--mode is one of {', '.join(MODES)}, by default search; this is the help for {options.mode}"
    return main([MODES[options.mode], *rest], prog, told)


class _Parser(argparse.ArgumentParser):
    """Tells wrong usage as any other wrong input."""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        raise InputError(f"{message}; {self.prog} --help shows how it is used")


def _joined_verbs(arguments: list[str]) -> list[str]:
    """The arguments with a command of two words as one."""
    verb = " ".join(arguments[:2])
    return [verb, *arguments[2:]] if verb in {*COMMANDS, _SHOW} else arguments


def _parse(arguments: list[str], prog: str, epilog: str = "") -> tuple[str, Resolution[Any]]:
    """The command and its options; everything that is wrong with words, files and values is told at once.

    Raises:
        InputError: If anything is.
    """
    parser = _Parser(
        prog=prog,
        description="Exhaustive search for the hidden layers of autoencoders on tables.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"autoenc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    flags: dict[str, bool] = {}
    if arguments and arguments[0] in COMMANDS:
        flags = _flags(COMMANDS[arguments[0]].settings) | _flags(LayerSettings)
    for name, command in COMMANDS.items():
        # hyperparam_optimizer.py is `search` under another name, and its help should say so.
        own = prog if prog.endswith(".py") else f"{prog} {name}"
        sub = commands.add_parser(
            name, prog=own, help=command.help, description=command.help, epilog=epilog, allow_abbrev=False
        )
        sub.add_argument("--version", action="version", version=f"autoenc {__version__}")
        _add_options(sub, LayerSettings)
        _add_options(sub, command.settings)
    if not prog.endswith(_SHOW):  # for --help alone: it is taken off before
        commands.add_parser(_SHOW, help="print the options of a command, and where each came from")
    namespace, unknown = parser.parse_known_args(_joined(arguments, flags))
    given = {name: value for name, value in vars(namespace).items() if name != "command"}
    search = given.pop("search_config", None)
    layers, problems = load_layers(given.pop("config", None), search, os.environ)
    settings = COMMANDS[namespace.command].settings
    environment = {}
    if "shard" in settings.model_fields and "shard" not in given:
        try:
            environment = shard_option()
        except InputError as error:
            problems = [*problems, *error.problems]
    resolution = resolve(settings, layers, given, environment)
    # What follows an unknown flag is its value, and no second problem.
    told = [
        _unknown(word, flags)
        for before, word in zip([None, *unknown], unknown, strict=False)
        if word.startswith("-") or not (before and before.startswith("-") and "=" not in before)
    ]
    if told or problems or resolution.problems:
        raise InputError([*told, *problems, *resolution.problems])
    for entry in resolution.unused:
        # A search file is named for this command; other files serve several, and may hold more.
        if search is not None and Path(entry.path) == Path(search) and entry.option in SPACE_OPTIONS:
            text = f"{entry.key} is no part of the space of {namespace.command}, and passed over"
            warn(f"warning: {entry.place()}: {text}")
    return namespace.command, resolution


def _flags(settings: type[Settings]) -> dict[str, bool]:
    """Every spelling of every flag, and whether a value follows it."""
    return {
        spelling: field.annotation is not bool
        for name, field in settings.model_fields.items()
        if not _is_positional(field)
        for spelling in [*_spellings(name, field), *_negations(name, field)]
    }


def _add_options(parser: argparse.ArgumentParser, settings: type[Settings]) -> None:
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
        elif _words(field).get("repeated"):
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
    words = _words(field)
    names = [words.get("flag", name), *words.get("aliases", ())] if not name.startswith("no_") else [name]
    if words.get("name") in names:  # as other commands call it, before its own older name
        names = sorted(names, key=lambda each: each != words["name"])
    return list(dict.fromkeys(f"--{each}" for one in names for each in (one, one.replace("_", "-"))))


def _negations(name: str, field: Any) -> list[str]:
    """The flags that turn a switch off."""
    return _spellings(f"no_{name}", field) if field.annotation is bool else []


def _is_positional(field: Any) -> bool:
    return bool(_words(field).get("positional"))


def _words(field: Any) -> dict[str, Any]:
    return field.json_schema_extra or {}


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
