"""The page: a template, its style and script, Plotly once, and the numbers as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autoenc import __version__
from autoenc.errors import needing
from autoenc.report.fit_answer import enough_units
from autoenc.report.page.content import Content
from autoenc.report.page.headline import Kept
from autoenc.report.words import percent
from autoenc.system.text import escaped

__all__ = ["page_of"]

_HERE = Path(__file__).parent
_SCRIPT_ENDS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_HIDDEN = ("retry_failed", "dry_run", "verify", "fresh", "quiet", "verbose", "shard")


def page_of(contents: Sequence[Content]) -> str:
    """Return the page as text.

    Raises:
        InputError: If packages are not installed.
    """
    with needing("a report needs packages that are not installed", "report"):
        import jinja2
        from plotly.offline import get_plotlyjs
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"cell": _cell, "short": _short, "said": escaped, "share": _share}
    environment.filters |= {"rows": _rows, "unbroken": _unbroken}
    page: str = environment.get_template("page.html.j2").render(
        contents=list(enumerate(contents)), version=__version__, hidden=_HIDDEN,
        sizes=_sizes(contents), enough=_enough(contents),
        value="loss" if any(content.by == "loss" for content in contents) else "unexplained",
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        style=_text("page.css"), script=_text("page.js"), plotly=get_plotlyjs(),
        numbers=_json([_drawn(content) for content in contents]),
    )  # fmt: skip
    return page


def _sizes(contents: Sequence[Content]) -> list[tuple[int, Kept]]:
    """Return what each search keeps, with its place, if each has a latent size of its own."""
    kept = [(k, content.kept) for k, content in enumerate(contents) if content.kept is not None]
    sizes = {size.latent_dim for _, size in kept}
    return sorted(kept, key=lambda size: size[1].latent_dim) if len(sizes) == len(kept) > 1 else []


def _enough(contents: Sequence[Content]) -> int | None:
    """Return the latent size beyond which more units stop paying; None where sizes cannot be compared so."""
    kept = [content.kept for content in contents if content.kept is not None and content.kept.by_budget]
    by_size = sorted((size.latent_dim, size.explained) for size in kept if size.explained is not None)
    return enough_units(by_size) if len(by_size) == len(contents) > 1 else None


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _drawn(content: Content) -> dict[str, Any]:
    """Return what the script draws; texts are escaped for Plotly, which takes some HTML for markup."""
    table, measure, rows = content.table, content.measure, content.rows
    pictures: dict[str, Any] = {"measure": measure, "value": content.measure_in_words}
    if measure is not None and "parameters" in table and "stack" in table:
        done = table[table[measure].notna() & table["parameters"].notna()]
        pictures["sizes"] = {
            "names": [_label(name) for name in done["stack"]],
            "parameters": done["parameters"].astype(float).tolist(),
            "losses": _rounded(done[measure]),
        }
    if measure is not None and "trial" in table:
        done = table[table[measure].notna()].sort_values("trial")
        pictures["history"] = {
            "trials": done["trial"].tolist(), "values": _rounded(done[measure]),
            "names": [_label(name) for name in done.get("stack", done["trial"])],
        }  # fmt: skip
    if content.curves:
        pictures["curves"] = [
            {"name": _label(name), "losses": _rounded(losses)} for name, losses in content.curves.items()
        ]
    if rows is not None:
        pictures["latent"] = {
            "points": [_rounded(rows.latent[:, k]) for k in range(rows.latent.shape[1])],
            "rows": rows.rows.tolist(),
            "colours": [
                {"name": _label(name), "values": [_label(v) if isinstance(v, str) else v for v in values]}
                for name, values in rows.colours.items()
            ],
        }
    return pictures


def _label(value: Any) -> str:
    return escape(escaped(value), quote=False)


def _rounded(values: Any) -> list[float | None]:
    numbers = np.asarray(values, dtype=float).tolist()
    return [float(f"{number:.5g}") if math.isfinite(number) else None for number in numbers]


def _json(value: Any) -> str:
    """Return JSON that no parser of HTML takes for anything else."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for mark, safe in _SCRIPT_ENDS.items():
        text = text.replace(mark, safe)
    return text


def _cell(value: Any) -> str:
    """Return a value of a table as text."""
    if value is None or (not isinstance(value, list | tuple | dict) and pd.isna(value)):
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:.5g}"
    if isinstance(value, list | tuple):
        return escaped(", ".join(map(_cell, value)))
    if isinstance(value, dict):
        return escaped(", ".join(f"{name} {_cell(part)}" for name, part in value.items()))
    return escaped(value)


def _short(value: float | None) -> str:
    """Return a number of which many stand side by side."""
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def _unbroken(text: str) -> str:
    """Return text whose lines do not end between a number and its percent sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)
