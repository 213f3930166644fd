"""``slurm``: a search as a SLURM job array, and a job behind it that merges what the tasks found."""

from __future__ import annotations

from collections.abc import Sequence

from autoenc.settings.slurm import SlurmSettings
from autoenc.system.text import say
from autoenc.workflows.screen import Screen
from autoenc.workflows.slurm import ArrayJob

__all__ = ["slurm"]


def slurm(settings: SlurmSettings, words: Sequence[str]) -> int:
    """Write the scripts of array and merge job and submit them.

    Args:
        settings: The options; those of the search are checked here, before anything is submitted.
        words: The options as they were given, each one word: ``--name=value`` or ``--name``.

    Raises:
        InputError: If an option, the table or the folder will not do, there is no SLURM here, or SLURM
            refuses a job.
    """
    job = ArrayJob.prepare(settings, words)
    Screen().warn(job.warnings)
    if settings.dry_run:
        behind = "# The merge job, behind the array (--dependency=afterany):"
        print(f"{job.array}\n{behind}\n\n{job.merge}", end="")
        return 0
    submitted = job.submit()
    say(f"array         {submitted.array}, {settings.array} tasks")
    say(f"merge         {submitted.merge}, when all tasks have ended")
    say(f"scripts, logs {submitted.folder}")
    return 0
