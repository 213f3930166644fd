"""A search as a SLURM job array, and a job behind it that merges what the tasks found."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoenc.data.sources import is_stream
from autoenc.errors import InputError
from autoenc.settings import SearchSettings
from autoenc.settings.slurm import SlurmSettings
from autoenc.system.paths import write_atomically
from autoenc.system.special import make_own_folder
from autoenc.workflows.batch_scripts import array_script, merge_script, refuse_line_breaks
from autoenc.workflows.job import SearchJob

__all__ = ["ArrayJob", "Submitted"]

# Options that are for this command; every other one goes on to the tasks, in the words it was given in.
_OWN = {*SlurmSettings.model_fields} - {*SearchSettings.model_fields} | {"dry_run"}


@dataclass(frozen=True)
class Submitted:
    """Jobs that SLURM has taken.

    Attributes:
        array: Id of the array.
        merge: Id of the job behind it.
        folder: Where scripts and logs are.
    """

    array: str
    merge: str
    folder: Path


@dataclass(frozen=True)
class ArrayJob:
    """The two jobs of a search, checked and ready to be submitted.

    Attributes:
        folder: Where results go, absolute.
        array: Script of the array.
        merge: Script of the job behind it.
        warnings: What is odd about the table.
    """

    folder: Path
    array: str
    merge: str
    warnings: list[str]

    @classmethod
    def prepare(cls, settings: SlurmSettings, words: Sequence[str]) -> ArrayJob:
        """Check what the tasks will need, before any of them waits in a queue.

        Args:
            settings: The options.
            words: The options as they were given, each one word: ``--name=value`` or ``--name``.

        Raises:
            InputError: If an option, the table or the folder will not do.
        """
        options = [word for word in words if _name(word) not in _OWN]
        folder = Path(settings.output_dir).resolve()
        refuse_line_breaks(folder, options)
        given = {name: getattr(settings, name) for name in settings.model_fields_set if name not in _OWN}
        warnings = _check(SearchSettings.model_validate(given), settings.dry_run)
        array, merge = array_script(settings, options, folder), merge_script(settings, options, folder)
        return cls(folder, array, merge, warnings)

    def submit(self) -> Submitted:
        """Write the scripts and submit them.

        Raises:
            InputError: If there is no SLURM here, or it refuses a job.
        """
        if shutil.which("sbatch") is None:
            raise InputError(
                "there is no sbatch here; run this on a login node of a SLURM cluster, or --dry_run"
            )
        place = self.folder / "slurm"
        make_own_folder(place)
        paths = place / "array.sh", place / "merge.sh"
        for path, text in zip(paths, (self.array, self.merge), strict=True):
            content = os.fsencode(text)
            write_atomically(path, content)
        array = _submit(paths[0])
        try:
            return Submitted(array, _submit(paths[1], f"--dependency=afterany:{array}"), place)
        except InputError as error:
            subprocess.run(["scancel", array], check=False)
            raise InputError([*error.problems, f"the array {array} was cancelled again"]) from None


def _name(word: str) -> str:
    return word.split("=")[0].removeprefix("--").replace("-", "_")


def _check(search: SearchSettings, dry_run: bool) -> list[str]:
    """See that every task will find its table and its rows; returns warnings."""
    if is_stream(search.data_path):
        raise InputError(f"--data_path {search.data_path}: a job cannot read it once it runs; name a file")
    for single in search.for_each_latent_size():
        job = SearchJob.prepare(single.model_copy(update={"dry_run": dry_run}))
        for fold in job.trials[0].folds:
            job.division.split(fold)
    return job.warnings()


def _submit(script: Path, *options: str) -> str:
    """Submit a script; returns the job's id."""
    run = subprocess.run(["sbatch", "--parsable", *options, str(script)], capture_output=True, text=True)
    if run.returncode:
        reason = "; ".join(run.stderr.strip().splitlines()) or f"exit code {run.returncode}"
        raise InputError(f"SLURM refuses {script.name}: {reason}")
    return run.stdout.strip().split(";")[0]
