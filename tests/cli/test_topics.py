"""The help lists every command under what it is for, and each has two examples that parse."""

from __future__ import annotations

import shlex
from collections import Counter
from itertools import chain

import pytest

from autoenc.cli.flags import flags_of, joined
from autoenc.cli.parser import make_parser
from autoenc.cli.topics import COMPLETION, EXAMPLES, SHOW, TOPICS
from autoenc.cli.verbs import COMMANDS
from autoenc.settings import require_settings

VERBS = {*COMMANDS, SHOW, COMPLETION}


def test_every_command_stands_under_one_topic() -> None:
    assert Counter(chain.from_iterable(TOPICS.values())) == Counter(VERBS)


def test_the_help_shows_topics_with_their_commands(call) -> None:
    answer = call("--help")
    assert answer.code == 0
    for title, verbs in TOPICS.items():
        section = answer.out.split(f"\n{title}:\n")[1].split("\n\n")[0]
        assert [verb for verb in verbs if f"\n  {verb} " in f"\n{section}"] == list(verbs)
    for command in COMMANDS.values():
        assert " ".join(command.help.split()) in " ".join(answer.out.split())


def test_every_command_has_two_examples_in_its_help(call) -> None:
    assert EXAMPLES.keys() == VERBS
    for verb, examples in EXAMPLES.items():
        assert len({*examples}) == 2
        answer = call(*verb.split(), "--help")
        assert answer.code == 0
        for example in examples:
            assert f"\n  {example}\n" in f"{answer.out}\n"


@pytest.mark.parametrize("example", [one for verb in COMMANDS for one in EXAMPLES[verb]])
def test_every_example_is_a_command_that_parses(example: str) -> None:
    words = shlex.split(example.replace("runs diff", "'runs diff'"))
    assert words.pop(0) == "autoenc"
    words = joined(words, flags_of(COMMANDS[words[0]].settings))
    given = dict(vars(make_parser("autoenc").parse_args(words)))
    verb = given.pop("command")
    files = {"config", "search_config"}
    require_settings(COMMANDS[verb].settings, {k: v for k, v in given.items() if k not in files})
