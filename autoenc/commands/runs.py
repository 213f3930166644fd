"""``runs`` and ``runs diff``: earlier runs in a table, and what differs between two of them."""

from __future__ import annotations

from pathlib import Path

from autoenc.errors import InputError
from autoenc.record.runs import read_run
from autoenc.report.run_tables import diff_lines, run_values, runs_table
from autoenc.settings.runs import RunsDiffSettings, RunsSettings
from autoenc.system.text import say
from autoenc.workflows.runs import find_run, matching, read_folders

__all__ = ["runs", "runs_diff"]


def runs(settings: RunsSettings) -> int:
    """Print the runs of some folders, a line each.

    Raises:
        InputError: If a folder holds no runs, or a name is known of none of them.
    """
    documents = read_folders([Path(folder) for folder in settings.folders])
    kept = matching([run_values(document) for document in documents], settings)
    say(*(runs_table(kept) if kept else ["no run matches"]))
    return 0


def runs_diff(settings: RunsDiffSettings) -> int:
    """Print what differs between two runs, in options, results and surroundings.

    Raises:
        InputError: If a run is not found, is not the only one meant, or its file is damaged.
    """
    problems: list[str] = []
    documents = []
    for word in (settings.first, settings.second):
        try:
            documents.append(read_run(find_run(word, Path(settings.output_dir))))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    say(*diff_lines(*documents))
    return 0
