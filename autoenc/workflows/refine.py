"""Write the search file of a fine search around the best trials of a coarse one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from autoenc.analysis.narrowing import Narrowed, best_of, narrow
from autoenc.errors import InputError
from autoenc.report.search_file import search_file
from autoenc.settings import RefineSettings
from autoenc.system.outputs import STANDARD_OUTPUT, is_regular, write_output
from autoenc.system.paths import utf8
from autoenc.workflows.observe import observe_folder

__all__ = ["FineSearch", "write_search_file"]


class FineSearch(NamedTuple):
    """A fine search that was written.

    Attributes:
        narrowed: The options of its space.
        command: The command that runs it.
    """

    narrowed: list[Narrowed]
    command: str


def write_search_file(settings: RefineSettings) -> FineSearch:
    """Write the search file and return what it holds.

    Raises:
        InputError: If there is no search, too few of its trials are finished, or the file exists already.
    """
    path = Path(settings.to)
    problems = []
    if is_regular(settings.to) and path.exists() and not settings.force:
        problems.append(f"--to {path}: exists already; give another name, or --force to replace it")
    if settings.to != STANDARD_OUTPUT and (path.is_dir() or not path.parent.is_dir()):
        wrong = "is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        problems = [f"--to {path}: {wrong}"]
    if problems:
        raise InputError(problems)
    seen = observe_folder(Path(settings.from_), settings.storage, f"--from {settings.from_}")
    narrowed = narrow(seen, settings)
    n_best = len(best_of(seen, settings.top))
    text = search_file(seen, n_best, narrowed, settings.search_method, settings.n_trials)
    write_output("--to", settings.to, utf8(text))
    return FineSearch(narrowed, seen.command)
