"""The configuration files of a command, in order of precedence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from autoenc.config.expand import expanded_path
from autoenc.errors import InputError
from autoenc.system.special import read_regular

if TYPE_CHECKING:  # PyYAML, behind it, is imported where there is a file
    from autoenc.config.files import ConfigFile, Entry

__all__ = ["Layer", "load_layers"]


class Layer(NamedTuple):
    """Options from one file.

    Attributes:
        entries: The options.
        of_cluster: Whether they are ``cluster_overrides``.
    """

    entries: list[Entry]
    of_cluster: bool = False


def load_layers(
    config: str | None, search_config: str | None, environment: Mapping[str, str]
) -> tuple[list[Layer], list[str]]:
    """Read an experiment's file, a search's file, and whatever they extend.

    Args:
        config: The experiment's file.
        search_config: The search's file.
        environment: Says whether this is a job of SLURM, where ``cluster_overrides`` count.

    Returns:
        The layers, of which later ones override earlier ones, and all problems, a line each.
    """
    layers: list[Layer] = []
    problems: list[str] = []
    for flag, name in (("--config", config), ("--search_config", search_config)):
        if name is None:
            continue
        chain = _Chain(environment)
        if not name.strip():
            problems.append(f"{flag} must be the name of a file, got {name!r}")
            continue
        chain.load(Path(name), f"{flag} {name}")
        problems += chain.problems
        layers += [Layer(file.entries) for file in chain.files]
        if environment.get("SLURM_JOB_ID"):
            layers += [Layer(file.overrides, of_cluster=True) for file in chain.files if file.overrides]
    return layers, problems


class _Chain:
    """A file and what it extends: what is extended comes first, and each file once.

    Args:
        environment: Variables that paths may name.

    Attributes:
        files: What they say.
        problems: What is wrong with them.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.files: list[ConfigFile] = []
        self.problems: list[str] = []
        self._open: list[Path] = []
        self._done: set[Path] = set()

    def load(self, path: Path, asked_by: str) -> None:
        """Load ``path``, which was named by ``asked_by``."""
        real = path.resolve()
        if real in self._done:
            return
        if real in [other.resolve() for other in self._open]:
            chain = " extends ".join(map(str, [*self._open, path]))
            self.problems.append(f"{asked_by}: goes round in a circle: {chain}")
            return
        try:
            content = read_regular(path, asked_by)
        except InputError as error:
            self.problems += error.problems
            return
        from autoenc.config.files import read_config

        file, problems = read_config(path, content)
        self.problems += problems
        self._open.append(path)
        for name, line in file.extends:
            try:
                named = expanded_path(name, self._environment)
            except ValueError as error:
                self.problems.append(f"{path}:{line}: extends {error}")
                continue
            extended = Path(os.path.normpath(path.parent / named))
            self.load(extended, f"{path}:{line}: extends {name}")
        self._open.pop()
        self._done.add(real)
        self.files.append(file)
