"""A result as a short HTML table, for notebooks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from autoenc.report.words import rounded
from autoenc.system.text import escaped

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["html_of", "parted"]

_N_ROWS = 10


def html_of(title: str, lines: Sequence[str], table: pd.DataFrame) -> str:
    """Return a heading, some sentences and the first rows of a table; names in them stay text.

    Args:
        title: What it is.
        lines: Sentences about it.
        table: Best row first.
    """
    said = "".join(f"<p>{_bold(word)}{_text(text)}</p>" for word, text in map(parted, lines))
    shown = table.head(_N_ROWS).dropna(axis="columns", how="all")
    body = (
        shown.map(lambda value: _text(rounded(value, 6)))
        .mask(shown.isna(), "")
        .to_html(escape=False, border=0)
    )
    more = f"<p>{len(table) - _N_ROWS:,} more in <code>leaderboard</code></p>" if len(table) > _N_ROWS else ""
    return f"<div><h4>{_text(title)}</h4>{said}{body}{more}</div>"


def parted(line: str) -> tuple[str, str]:
    """Return the word in front of a line of an answer, empty where there is none, and the rest."""
    parts = re.split(r"\s{2,}", line.rstrip(), maxsplit=1)
    return (parts[0], parts[1]) if len(parts) == 2 else ("", parts[0])


def _bold(word: str) -> str:
    return f"<b>{_text(word)}</b> " if word else ""


def _text(value: object) -> str:
    return escape(escaped(value))
