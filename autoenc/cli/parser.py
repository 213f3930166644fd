"""The parser of the program: its commands by what they are for, and their options."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from autoenc import __version__
from autoenc.cli.topics import COMPLETION, EXAMPLES, SHOW, TOPICS
from autoenc.cli.verbs import COMMANDS, Command
from autoenc.errors import InputError

__all__ = ["Parser", "make_parser"]

_OTHER_HELP = {
    SHOW: "print the options of a command, and where each came from",
    COMPLETION: "print a script that completes commands and options in bash, zsh or tcsh",
}


class Parser(argparse.ArgumentParser):
    """Reports wrong usage as any other wrong input."""

    def error(self, message: str) -> NoReturn:
        """See :class:`argparse.ArgumentParser`."""
        message = message.removeprefix("argument ")
        raise InputError(f"{message}; {self.prog} --help shows how it is used")


class _Formatter(argparse.HelpFormatter):
    """Keeps lines of examples and of lists as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return super()._fill_text(text, width, indent)
        return "\n".join(f"{indent}{line}" for line in text.splitlines())


def make_parser(
    prog: str, epilog: str = "", *, for_shells: bool = False, named: str | None = None
) -> argparse.ArgumentParser:
    """Return the parser.

    Args:
        prog: The program's name in help texts.
        epilog: What stands at the end of the commands' help, before their examples.
        for_shells: Whether to leave out verbs of two words, which shells take for two, and to give each
            verb the help that is else in the overview.
        named: The only command whose options are wanted, or no command, as loading those of all takes time;
            None for all.
    """
    shows = prog.endswith(SHOW)
    parser = Parser(
        prog=prog,
        description=f"Exhaustive search for the hidden layers of autoencoders on tables.\n\n{_overview()}",
        epilog=_examples(SHOW, "") if shows else f"{prog} COMMAND --help shows its options.",
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"autoenc {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", title="command", help="one of the above"
    )
    for name, command in COMMANDS.items():
        if for_shells and " " in name:
            continue
        more: dict[str, Any] = {"help": command.help} if for_shells else {}
        # hyperparam_optimizer.py is `search` under another name, and its help should say so.
        own = prog if prog.endswith(".py") else f"{prog} {name}"
        sub = commands.add_parser(
            name, prog=own, description=command.help, epilog=_examples(name, epilog), allow_abbrev=False,
            formatter_class=_Formatter, **more,
        )  # fmt: skip
        sub.add_argument("--version", action="version", version=f"autoenc {__version__}")
        if named in (None, name):
            _add_all_options(sub, command)
    if not shows and not for_shells:  # these are taken off before, but for --help
        for name, text in _OTHER_HELP.items():
            commands.add_parser(
                name, description=text, epilog=_examples(name, ""), formatter_class=_Formatter
            )
    return parser


def _add_all_options(parser: argparse.ArgumentParser, command: Command) -> None:
    from autoenc.cli.flags import add_options
    from autoenc.settings.layers import LayerSettings

    add_options(parser, LayerSettings, are_titled=False)
    add_options(parser, command.settings)


def _overview() -> str:
    helps = {**{name: command.help for name, command in COMMANDS.items()}, **_OTHER_HELP}
    width = max(map(len, helps))
    # The same width for everybody who looks at it on a usual screen.
    columns = max(min(_columns(), 110) - width - 4, 30)
    lines = []
    for title, names in TOPICS.items():
        lines.append(f"{title}:")
        for name in names:
            first, *rest = _wrapped(helps[name], columns)
            lines.append(f"  {name:<{width}}  {first}")
            lines += [f"  {'':<{width}}  {line}" for line in rest]
        lines.append("")
    return "\n".join(lines).rstrip()


def _examples(name: str, epilog: str) -> str:
    examples = "\n".join(["examples:", *(f"  {example}" for example in EXAMPLES[name])])
    return f"{epilog}\n\n{examples}" if epilog else examples


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)
