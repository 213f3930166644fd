"""``runs`` and ``runs diff``: earlier runs in a table, and what differs between two of them."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from autoenc.errors import InputError
from autoenc.record.runs import FOLDER, read_run, run_state
from autoenc.settings.runs import CONDITION, RunsDiffSettings, RunsSettings
from autoenc.system.text import escaped, say, warn

__all__ = ["runs", "runs_diff"]

_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def runs(settings: RunsSettings) -> int:
    """Print the runs of some folders, a line each.

    Raises:
        InputError: If a folder holds no runs, or a name is known of none of them.
    """
    found = _read_folders([Path(folder) for folder in settings.folders])
    values = [run_values(document) for document in found]
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
    say(*(_table([*having, *(one for one in kept if one.get(by) is None)]) if kept else ["no run matches"]))
    return 0


def run_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of a run that has a name: its options, its metrics, and where and when it ran."""
    environment = document["environment"]
    commit = environment.get("git_commit")
    started, ended = document["started"], document.get("ended")
    wall = _seconds_between(started, ended) if ended else None
    return {
        **document["settings"],
        **_metrics(document),
        "id": document["id"],
        "started": started,
        "command": document["command"],
        "state": run_state(document),
        "seconds": wall,
        "commit": commit and commit[:8] + ("+" if environment.get("git_dirty") else ""),
        "host": environment.get("host"),
        "data_fingerprint": document.get("data_fingerprint"),
    }


def _metrics(document: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of a run; one that says of no other trial that it was chosen kept the best."""
    metrics = document["metrics"] or {}
    kept = {
        f"chosen_{name}": metrics[f"best_{name}"] for name in ("stack", "loss") if f"best_{name}" in metrics
    }
    return {**kept, **metrics}


def _read_folders(folders: list[Path]) -> list[dict[str, Any]]:
    """The runs of the folders; what is damaged is told and passed over."""
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


def _split(condition: str) -> tuple[str, str, str]:
    match = CONDITION.fullmatch(condition)
    assert match is not None  # the settings have seen to that
    name, sign, value = match.groups()
    return name, sign, value


def _holds(values: Mapping[str, Any], name: str, sign: str, wanted: str) -> bool:
    """Whether a condition is true of a run: as numbers where both are, else as text."""
    if values.get(name) is None:
        return False
    mine = _text(values[name])
    try:
        return bool(_COMPARE[sign](float(mine), float(wanted)))
    except ValueError:
        return bool(_COMPARE[sign](mine, wanted))


def _sort_key(value: Any) -> tuple[bool, Any]:
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else _text(value)


def _unknown(flag: str, name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"{flag}: no run has {name}" + (f"; did you mean {near[0]}?" if near else "")


def _seconds_between(started: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def _table(rows: list[dict[str, Any]]) -> list[str]:
    head = ["id", "started (UTC)", "command", "state", "best stack", "loss", "seconds", "commit"]
    lines = [
        [
            row["id"],
            row["started"][:19].replace("T", " "),
            row["command"],
            row["state"],
            _kept(row),
            "-" if row.get("chosen_loss") is None else f"{row['chosen_loss']:.6f}",
            "-" if row["seconds"] is None else f"{row['seconds']:.1f}",
            _text(row["commit"]),
        ]
        for row in rows
    ]
    return _aligned([head, *lines], right=(5, 6))


def _kept(row: Mapping[str, Any]) -> str:
    """The stack that a run kept, and by which rule where that is not the lowest loss."""
    by = f" (by {row['rule']})" if row.get("rule", "best") != "best" else ""
    return _text(row.get("chosen_stack")) + by


def _aligned(rows: list[list[str]], right: tuple[int, ...] = ()) -> list[str]:
    shown = [[escaped(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in shown) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in shown
    ]


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)


def runs_diff(settings: RunsDiffSettings) -> int:
    """Print what differs between two runs, in options, results and surroundings.

    Raises:
        InputError: If a run is not found, is not the only one meant, or its file is damaged.
    """
    problems: list[str] = []
    documents = []
    for word in (settings.first, settings.second):
        try:
            documents.append(read_run(_find(word, Path(settings.output_dir))))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    first, second = documents
    sections = [_section(title, *(part(one) for one in (first, second))) for title, part in _PARTS.items()]
    say(*_aligned([["", first["id"], second["id"], ""], *(row for section in sections for row in section)]))
    return 0


def _find(word: str, output_dir: Path) -> Path:
    """The file of the one run that a path, an id, or the beginning of either means."""
    if Path(word).is_file():
        return Path(word)
    folder, begin = (Path(word).parent, Path(word).name) if "/" in word else (output_dir / FOLDER, word)
    found = [path for path in sorted(folder.glob("*.json")) if path.name.startswith(begin)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(
            f"{word}: no run in {folder} begins so; `autoenc runs {output_dir}` lists them, and --output_dir "
            "names another folder"
        )
    names = ", ".join(path.stem for path in found[:5]) + (", ..." if len(found) > 5 else "")
    raise InputError(f"{word}: {len(found)} runs begin so: {names}")


def _results(document: Mapping[str, Any]) -> dict[str, Any]:
    values = run_values(document)
    return {"state": values["state"], "seconds": values["seconds"], **_metrics(document)}


def _surroundings(document: Mapping[str, Any]) -> dict[str, Any]:
    environment = dict(document["environment"])
    versions = environment.pop("versions", None)
    about = {"command": document["command"], "data_fingerprint": document.get("data_fingerprint")}
    return {**about, **environment, **(versions if isinstance(versions, dict) else {})}


_PARTS = {
    "settings": lambda document: document["settings"],
    "results": _results,
    "surroundings": _surroundings,
}


def _section(title: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> list[list[str]]:
    """A row per value that differs; a result's with the change in percent."""
    rows = []
    for name in dict.fromkeys([*first, *second]):
        one, other = first.get(name), second.get(name)
        if one != other:
            change = _change(one, other) if title == "results" else ""
            rows.append([f"  {name}", _text(one), _text(other), change])
    return [[title if rows else f"{title}: no difference", "", "", ""], *rows]


def _change(one: Any, other: Any) -> str:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return f"{100 * (other / one - 1):+.1f} %" if numbers and one else ""
