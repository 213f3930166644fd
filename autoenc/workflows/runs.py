"""Finding the files of earlier runs."""

from __future__ import annotations

import difflib
import operator
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoenc.errors import InputError
from autoenc.record.runs import FOLDER, read_run
from autoenc.report.run_tables import shown
from autoenc.settings.runs import CONDITION, RunsSettings
from autoenc.system.text import warn

__all__ = ["find_run", "matching", "read_folders"]


def read_folders(folders: list[Path]) -> list[dict[str, Any]]:
    """Return the runs of the folders; damaged ones are reported and skipped."""
    problems, documents = [], []
    for folder in folders:
        paths = sorted((folder / FOLDER).glob("*.json"))
        if not paths:
            there = "holds no runs" if folder.is_dir() else "there is no such folder"
            below = sorted({path.parents[1].name for path in folder.glob(f"*/{FOLDER}/*.json")})
            hint = (
                f"its folders {', '.join(below)} do" if below else "`autoenc search --output_dir` makes one"
            )
            problems.append(f"{folder}: {there}; {hint}")
        for path in paths:
            try:
                documents.append(read_run(path))
            except InputError as error:
                warn(f"warning: {error}; passed over")
    if problems:
        raise InputError(problems)
    if not documents:
        raise InputError(f"{', '.join(map(str, folders))}: every run there is damaged")
    return documents


def find_run(word: str, output_dir: Path) -> Path:
    """Return the file of the one run that a path, an id, or the beginning of either means."""
    if Path(word).is_file():
        return Path(word)
    folder, begin = (Path(word).parent, Path(word).name) if "/" in word else (output_dir / FOLDER, word)
    paths = [path for path in sorted(folder.glob("*.json")) if path.name.startswith(begin)]
    if len(paths) == 1:
        return paths[0]
    if not paths:
        lists = f"`autoenc runs {shlex.quote(str(output_dir))}` lists them"
        raise InputError(
            f"{word}: no run in {folder} starts with this; {lists}, and --output_dir names another folder"
        )
    names = ", ".join(path.stem for path in paths[:5]) + (", ..." if len(paths) > 5 else "")
    raise InputError(f"{word}: {len(paths)} runs start with this: {names}")


_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _split(condition: str) -> tuple[str, str, str]:
    match = CONDITION.fullmatch(condition)
    assert match is not None  # the settings have seen to that
    name, sign, value = match.groups()
    return name, sign, value


def _holds(values: Mapping[str, Any], name: str, sign: str, wanted: str) -> bool:
    """Return whether a condition is true of a run: as numbers where both are, else as text."""
    if values.get(name) is None:
        return False
    mine = shown(values[name])
    try:
        return bool(_COMPARE[sign](float(mine), float(wanted)))
    except ValueError:
        return bool(_COMPARE[sign](mine, wanted))


def _sort_key(value: Any) -> tuple[bool, Any]:
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else shown(value)


def _unknown(flag: str, name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"{flag}: no run has {name}" + (f"; did you mean {near[0]}?" if near else "")


def matching(values: list[dict[str, Any]], settings: RunsSettings) -> list[dict[str, Any]]:
    """Return the runs of which all conditions are true, sorted; those without the value to sort by come last.

    Args:
        values: What each run is known by, see :func:`~autoenc.report.run_tables.run_values`.
        settings: The conditions, and what to sort by.

    Raises:
        InputError: If a name is known of none of them.
    """
    known = {name for one in values for name in one}
    conditions = [_split(text) for text in settings.where]
    by = settings.sort.removeprefix("-")
    asked = [*((f"--where {text}", _split(text)[0]) for text in settings.where), ("--sort", by)]
    problems = [_unknown(flag, name, known) for flag, name in asked if name not in known]
    if problems:
        raise InputError(problems)
    kept = [one for one in values if all(_holds(one, *condition) for condition in conditions)]
    having = [one for one in kept if one.get(by) is not None]
    having.sort(key=lambda one: _sort_key(one[by]), reverse=settings.sort.startswith("-"))
    return [*having, *(one for one in kept if one.get(by) is None)]
