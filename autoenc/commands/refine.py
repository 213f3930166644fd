"""``refine``: a fine search around the best of a coarse one, as a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoenc.analysis.narrowing import Narrowed, best_of, narrow
from autoenc.errors import InputError
from autoenc.report.search_file import search_file, shown_values
from autoenc.settings import RefineSettings
from autoenc.system.outputs import STANDARD_OUTPUT, is_regular, summary_stream, write_output
from autoenc.system.paths import utf8
from autoenc.system.text import say
from autoenc.workflows.observe import observe_folder

__all__ = ["narrowed_table", "refine", "write_search_file"]


def refine(settings: RefineSettings) -> int:
    """Write the file, and show what became of each range.

    Raises:
        InputError: If there is no search, too little of it is finished, or the file exists already.
    """
    narrowed = write_search_file(settings)
    stream = summary_stream(settings.to)
    say(*narrowed_table(narrowed), "", f"search file   {settings.to}", file=stream)
    say(f"search with   autoenc tune --search_config {settings.to} --output_dir ...", file=stream)
    return 0


def write_search_file(settings: RefineSettings) -> list[Narrowed]:
    """Write the file; returns the options of its space.

    Raises:
        InputError: As :func:`refine` does.
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
    write_output("--to", settings.to, lambda file: file.write(utf8(text)))
    return narrowed


def narrowed_table(narrowed: Sequence[Narrowed]) -> list[str]:
    """A line per option: what it was, the best trial's value, what it is now, and why."""
    rows = [
        (each.option, shown_values(each.coarse), shown_values(each.winner, "-"), shown_values(each.value))
        for each in narrowed
    ]
    heads = ("option", "coarse", "best", "fine")
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = [[*heads, "why"], *([*row, each.reason] for row, each in zip(rows, narrowed, strict=True))]
    return [
        "  ".join([*(f"{c:<{w}}" for c, w in zip(line, widths, strict=False)), line[-1]]) for line in lines
    ]
