"""What commands leave in a folder, without what may differ between two runs of the same command."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

__all__ = ["outputs_but_time", "without_times"]

_TIMES = {
    "timestamp", "seconds", "updated", "elapsed_s", "duration_s", "started", "ended", "total_time",
    "training_seconds", "inference_us_per_row", "recorded",
}  # fmt: skip
_PLACES = {"args", "settings", "id", "process", "command_line", "settings_sha256", "folder", "git_commit",
           "git_dirty", "environment", "digest"}  # fmt: skip
_TIMED = ("total time", "  output_dir")
_RECORDS = (".journal", ".db", ".lock", ".owner")


def outputs_but_time(folder: Path) -> dict[str, Any]:
    """The content of every file by its path, without times, ids and places.

    Of ``runs/`` the file of the last run of each command: those before are of runs that were killed. Records
    are left out, as every file is a view of them.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*"), key=_when):
        name = str(path.relative_to(folder))
        if not path.is_file() or path.name.endswith(_RECORDS) or path.name == "log":
            continue
        if path.parent.name == "runs":
            run = json.loads(path.read_text())
            name = str(path.parent.relative_to(folder) / f"last {run['command']}")
        found[name] = _content(path)
    return found


def _when(path: Path) -> tuple[str, str]:
    """Sorts the files of runs by their beginning: within a second their names do not tell it."""
    is_run = path.parent.name == "runs" and path.suffix == ".json"
    return json.loads(path.read_text())["started"] if is_run else "", str(path)


def _content(path: Path) -> Any:
    if path.suffix == ".json":
        return without_times(json.loads(path.read_text()))
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(path.read_text())))
        kept = [i for i, name in enumerate(rows[0]) if name not in _TIMES]
        return [[row[i] for i in kept] for row in rows]
    if path.suffix == ".txt":
        return [line for line in path.read_text().splitlines() if not line.startswith(_TIMED)]
    if path.suffix == ".log":
        return _last_words(path.read_text())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _last_words(log: str) -> list[str]:
    """What a log says at the end of its last run, without the times and the places of files."""
    lines = [line.partition(" ")[2] for line in log.splitlines()]
    first = max(i for i, line in enumerate(lines) if not line)
    return [line for line in lines[first:] if "/" not in line]


def without_times(value: Any) -> Any:
    """A document without times and places, however deep they are."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in _TIMES | _PLACES}
        return {key: without_times(item) for key, item in kept.items()}
    return [without_times(item) for item in value] if isinstance(value, list) else value
