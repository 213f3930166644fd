"""Earlier runs as tables: a line each, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from autoenc.record.runs import run_state
from autoenc.system.text import escaped

__all__ = ["diff_lines", "run_values", "runs_table", "shown"]


def run_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything of a run that has a name: its options, its metrics, when and where it ran."""
    environment = document["environment"]
    commit = environment.get("git_commit")
    started, ended = document["started"], document.get("ended")
    wall = datetime.fromisoformat(ended) - datetime.fromisoformat(started) if ended else None
    return {
        **document["settings"],
        **_metrics(document),
        "id": document["id"],
        "started": started,
        "command": document["command"],
        "state": run_state(document),
        "seconds": None if wall is None else wall.total_seconds(),
        "commit": commit and commit[:8] + ("+" if environment.get("git_dirty") else ""),
        "host": environment.get("host"),
        "data_fingerprint": document.get("data_fingerprint"),
    }


def _metrics(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of a run; one that says of no other trial that it was chosen kept the best."""
    metrics = document["metrics"] or {}
    kept = {
        f"chosen_{name}": metrics[f"best_{name}"] for name in ("stack", "loss") if f"best_{name}" in metrics
    }
    return {**kept, **metrics}


def runs_table(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line a run, under a head."""
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
            shown(row["commit"]),
        ]
        for row in rows
    ]
    return _aligned([head, *lines], right=(5, 6))


def _kept(row: Mapping[str, Any]) -> str:
    """Return the stack that a run kept, and by which rule where that is not the lowest loss."""
    by = f" (by {row['rule']})" if row.get("rule", "best") != "best" else ""
    return shown(row.get("chosen_stack")) + by


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


def shown(value: Any) -> str:
    """Return a value as it is shown and compared."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(shown, value)) if isinstance(value, list) else str(value)


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
    """Return a row per value that differs; a result's with the change in percent."""
    rows = []
    for name in dict.fromkeys([*first, *second]):
        one, other = first.get(name), second.get(name)
        if one != other:
            change = _change(one, other) if title == "results" else ""
            rows.append([f"  {name}", shown(one), shown(other), change])
    return [[title if rows else f"{title}: no difference", "", "", ""], *rows]


def _change(one: Any, other: Any) -> str:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return f"{100 * (other / one - 1):+.1f} %" if numbers and one else ""


def diff_lines(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return what differs between two runs, in options, results and surroundings."""
    sections = [_section(title, *(part(one) for one in (first, second))) for title, part in _PARTS.items()]
    return _aligned([["", first["id"], second["id"], ""], *(row for section in sections for row in section)])
