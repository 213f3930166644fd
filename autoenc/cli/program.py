"""The program: words in, an exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.cli.parser import make_parser
from autoenc.cli.topics import COMPLETION, SHOW
from autoenc.cli.verbs import COMMANDS
from autoenc.errors import InputError
from autoenc.system.machine import PIPE_CLOSED, close_output, what_happened
from autoenc.system.text import OUTPUT, escape_output, forget_warnings, say, warn
from autoenc.system.trouble import trouble

if TYPE_CHECKING:
    from autoenc.config import Resolution

__all__ = ["main", "main_by_mode"]


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
        if arguments[:1] == [SHOW]:
            name, resolution = _parse(arguments[1:], f"{prog} {SHOW}")
            show = import_module("autoenc.commands.config").show
            say(*show(name, resolution), flush=True)
            return 0
        if arguments[:1] == [COMPLETION] and not {"-h", "--help"} & {*arguments}:
            from autoenc.cli.completion import completion_script

            say(*completion_script(arguments[1:], prog).splitlines(), flush=True)
            return 0
        code = _run(arguments, *_parse(arguments, prog, epilog))
        if sys.stdout is not None:
            sys.stdout.flush()  # here its errors can be reported
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


def _run(arguments: list[str], name: str, resolution: Resolution[Any]) -> int:
    from autoenc.cli.flags import flags_of, joined
    from autoenc.data.sources import pipes_kept

    words = joined(arguments, flags_of(COMMANDS[name].settings))[1:]
    try:
        with pipes_kept():
            return COMMANDS[name].run(resolution.settings, words)
    except InputError as error:
        raise InputError([resolution.located(problem) for problem in error.problems]) from None


MODES = {"search": "search", "tune": "tune", "train_best": "train-best"}


def main_by_mode(argv: Sequence[str], prog: str) -> int:
    """Run :func:`main` for a program whose command is named by ``--mode``, ``search`` by default."""
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
    epilog = f"--mode is one of {', '.join(MODES)}, by default search; this is the help for {options.mode}"
    return main([MODES[options.mode], *rest], prog, epilog)


def _joined_verbs(arguments: list[str]) -> list[str]:
    """Return the arguments with a command of two words as one."""
    verb = " ".join(arguments[:2])
    return [verb, *arguments[2:]] if verb in {*COMMANDS, SHOW} else arguments


def _unknown_command(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word.replace("_", "-"), [*COMMANDS, SHOW, COMPLETION], 1)
    return f"{word!r} is not a command; {f'did you mean {near[0]}?' if near else 'autoenc --help lists them'}"


def _parse(arguments: list[str], prog: str, epilog: str = "") -> tuple[str, Resolution[Any]]:
    """Return the command and its options; all that is wrong with words, files and values is reported at once.

    Raises:
        InputError: If anything is.
    """
    named = arguments[0] if arguments and arguments[0] in COMMANDS else ""
    if arguments and not named and not arguments[0].startswith("-") and arguments[0] != COMPLETION:
        raise InputError(_unknown_command(arguments[0]))
    parser = make_parser(prog, epilog, named=named)
    if not named:  # help for all, the version, or no command: that ends here, before options are loaded
        parser.parse_known_args(arguments)
        parser = make_parser(prog, epilog)
    from autoenc.cli.flags import flags_of, joined, unknown_word
    from autoenc.config import load_layers, resolve
    from autoenc.config.words import space_options
    from autoenc.settings.layers import LayerSettings
    from autoenc.settings.shards import shard_option

    flags: dict[str, bool] = {}
    if named:
        flags = flags_of(COMMANDS[arguments[0]].settings) | flags_of(LayerSettings)
    namespace, unknown = parser.parse_known_args(joined(arguments, flags))
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
    unknown_words = [
        unknown_word(word, flags, settings)
        for before, word in zip([None, *unknown], unknown, strict=False)
        if word.startswith("-") or not (before and before.startswith("-") and "=" not in before)
    ]
    if unknown_words or problems or resolution.problems:
        raise InputError([*unknown_words, *problems, *resolution.problems])
    for entry in resolution.unused:
        # A search file is named for this command; other files serve several, and may hold more.
        if search is not None and Path(entry.path) == Path(search) and entry.key in space_options():
            text = f"{entry.key} is no part of the space of {namespace.command}, and passed over"
            warn(f"warning: {entry.place()}: {text}")
    return namespace.command, resolution
