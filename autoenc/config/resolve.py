"""Resolution of layers and flags to the options of one command, with the origin of each."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from autoenc.config.expand import expanded_path
from autoenc.config.layers import Layer
from autoenc.config.words import OF_SEARCH_FILES, methods
from autoenc.settings import Settings
from autoenc.settings.base import Problem, check_settings, is_path
from autoenc.settings.options import aliases_of

if TYPE_CHECKING:
    from autoenc.config.files import Entry

__all__ = ["Resolution", "resolve"]

S = TypeVar("S", bound=Settings)


class Resolution(NamedTuple, Generic[S]):
    """The options of a command.

    Attributes:
        settings: The options; None where there are problems.
        problems: What is wrong, a line each, with file and line where a file is to blame.
        origins: Where each option came from.
        unused: Entries of the files that are options of other commands only.
        chosen: The entries of the files that count, by option.
    """

    settings: S | None
    problems: list[str]
    origins: dict[str, str]
    unused: list[Entry]
    chosen: dict[str, Entry]

    def located(self, problem: str) -> str:
        """Return a problem that showed when the command ran, with the file's line that set the option."""
        names = [name for name in _BLAMED.findall(problem) if name in self.origins]
        return _located(Problem(tuple(names[-1:]), problem), self.chosen)


# An option at the beginning of a problem, or behind the file that it is about; elsewhere it is advice.
_BLAMED = re.compile(r"(?:^|: )--(\w+)\b")


def resolve(
    kind: type[S],
    layers: Sequence[Layer],
    flags: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
) -> Resolution[S]:
    """Put layers and flags on top of each other.

    Args:
        kind: The command's settings.
        layers: Later ones override earlier ones.
        flags: Options from the command line, which override all layers.
        environment: Options from the environment, for those that no layer or flag sets.
    """
    chosen: dict[str, Entry] = {}
    origins = dict.fromkeys(kind.model_fields, "default")
    unused = []
    for layer in layers:
        # `search_method` says what `strategy` is to a search of a space, beside another one for a grid.
        own = {entry.key for entry in layer.entries} & {*kind.model_fields}
        for entry in sorted(layer.entries, key=lambda entry: entry.key in OF_SEARCH_FILES):
            option = _option(entry, kind)
            # Another command's name for an option is overridden by the one that this command has for it.
            if option is None or (entry.key in _other_names(kind) and option in own):
                unused.append(entry)
                continue
            chosen[option] = entry
            origins[option] = ("cluster_overrides of " if layer.of_cluster else "") + entry.place()
    for name in flags:
        chosen.pop(name, None)
        origins[name] = "command line"
    silent = {name: value for name, value in (environment or {}).items() if name not in {*flags, *chosen}}
    origins |= dict.fromkeys(silent, "environment")
    given, problems = _expanded(kind, chosen)
    settings, of_values = check_settings(kind, {**silent, **given, **flags})
    problems += [problem for problem in of_values if not {*problem.names} & {p.names[0] for p in problems}]
    messages = [_located(problem, chosen) + _from_environment(problem, silent) for problem in problems]
    return Resolution(None if messages else settings, messages, origins, unused, chosen)


def _expanded(kind: type[S], chosen: Mapping[str, Entry]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the values of entries, paths written out, and what is wrong with these."""
    given: dict[str, Any] = {}
    problems = []
    for name, entry in chosen.items():
        given[name] = entry.value
        if is_path(kind.model_fields[name]) and isinstance(entry.value, str):
            try:
                given[name] = expanded_path(entry.value, os.environ)
            except ValueError as error:
                problems.append(Problem((name,), f"--{name} {error}"))
    return given, problems


def _from_environment(problem: Problem, silent: Mapping[str, str]) -> str:
    """Say which options of a problem come from the environment."""
    names = [name for name in problem.names if name in silent]
    return "".join(f"; --{name} {silent[name]} comes from the environment" for name in names)


def _option(entry: Entry, kind: type[Settings]) -> str | None:
    """Return the option of a command that an entry sets; None where the command has no use for it."""
    if entry.key in kind.model_fields:
        return entry.key
    return aliases_of(kind).get(entry.key) if _means_the_same(entry, kind) else None


def _other_names(kind: type[Settings]) -> set[str]:
    """Return names by which other commands call options of this one."""
    return {*aliases_of(kind)} - {*OF_SEARCH_FILES}


def _means_the_same(entry: Entry, kind: type[Settings]) -> bool:
    """Return whether an alias stands for the same here: a grid's strategy is no adaptive search's."""
    return entry.key not in ("strategy", "sampler") or entry.value in methods()


def _located(problem: Problem, chosen: Mapping[str, Entry]) -> str:
    """Return a problem in the words of the file that caused it."""
    blamed = [chosen[name] for name in problem.names if name in chosen]
    if not blamed:
        return problem.text
    text = problem.text
    if len(problem.names) == 1:
        text = text.replace(f"--{problem.names[0]}", blamed[0].key, 1)
        if blamed[0].value is None:
            text = text.replace("got None", "got nothing")
    return f"{', '.join(entry.place(problem.item) for entry in blamed)}: {text}"
