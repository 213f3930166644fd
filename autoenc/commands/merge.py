"""``merge``: join the records of shards, with a certificate that nothing is missing or doubled."""

from __future__ import annotations

from pathlib import Path

from autoenc.report.certificate import certificate
from autoenc.report.files import files_lines
from autoenc.settings import MergeSettings
from autoenc.system.text import say
from autoenc.workflows.merge import merge_folders

__all__ = ["merge"]


def merge(settings: MergeSettings) -> int:
    """Join every record found in the folders into one in the output folder; doing it again changes nothing.

    Returns:
        The exit code: 1 while a fit of the grid is missing.

    Raises:
        InputError: If a folder holds no record, or the output folder cannot be used.
    """
    complete = True
    for merged in merge_folders([Path(folder) for folder in settings.folders], Path(settings.output_dir)):
        say(*certificate(merged.results, merged.n_records, merged.n_twice))
        say(*files_lines(merged.written))
        complete &= not merged.results.missing
    return 0 if complete else 1
