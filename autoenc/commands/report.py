"""``report``: all that the searches of a folder found, in one HTML file."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from autoenc.record.searches import Searches
from autoenc.record.storage import journal_path
from autoenc.report.page.content import content_of
from autoenc.report.page.write import page_of
from autoenc.settings import ReportSettings
from autoenc.system.outputs import refuse_inputs, summary_stream, write_output
from autoenc.system.paths import utf8
from autoenc.system.text import say, warn
from autoenc.workflows.load import load

__all__ = ["report"]


def report(settings: ReportSettings) -> int:
    """Write one page about every search of a folder, the latest of each latent size.

    Raises:
        InputError: If the folder holds no record, or the page cannot be written.
    """
    folder = Path(settings.folder)
    output = settings.output or os.fspath(folder / "report.html")
    if settings.data_path is not None:
        refuse_inputs("--output", output, {"--data_path": settings.data_path})
    contents = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        for size in _latent_sizes(folder, settings.storage):
            results = load(folder, size, settings.data_path, storage=settings.storage)
            contents.append(content_of(results, settings.data_path, folder))
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        warn(f"warning: {text}")
    for content in contents:
        if content.rows is None:
            warn(f"warning: {content.title}: no rows are shown: {content.without_rows}")
    write_output("--output", output, utf8(page_of(contents)))
    say(f"report: {output}", file=summary_stream(output))
    return 0


def _latent_sizes(folder: Path, storage: str | None) -> list[int | None]:
    """Return the latent sizes of the searches of a folder; None alone for what has none of its own."""
    if storage is None and not journal_path(folder).exists():
        return [None]
    searches = Searches.read(storage or journal_path(folder))
    if searches.transfer_of(folder):
        return [None]
    sizes: set[Any] = {record.latent_dim for record in [*searches.exhaustive, *searches.adaptive]}
    return sorted(sizes) or [None]
