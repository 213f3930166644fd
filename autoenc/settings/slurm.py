"""Options of a search as a SLURM job array."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from autoenc.settings.base import WORDS
from autoenc.settings.options import again, option
from autoenc.settings.search import SearchSettings

__all__ = ["CONTROL", "SlurmSettings"]

CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
"""What ends a line of a batch script, and other control characters."""
_TIME = re.compile(r"\d+|\d+:[0-5]\d|\d+:[0-5]\d:[0-5]\d|\d+-\d+(:[0-5]\d){0,2}")
_MEM = re.compile(r"[1-9]\d*[KMGT]?")
_WORD = re.compile(r"[\w.,@+-]+")


def _time(text: str) -> str:
    if not _TIME.fullmatch(text) or not re.search(r"[1-9]", text):
        raise ValueError(
            f"must be a time in SLURM's form, e.g. 12:00:00, 90 (minutes) or 1-12 (days-hours); got {text!r}"
        )
    return text


def _mem(text: str) -> str:
    if not _MEM.fullmatch(text):
        raise ValueError(f"must be memory as SLURM writes it, e.g. 4G or 500M, got {text!r}")
    return text


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise ValueError(f"must be the name of a partition, got {text!r}")
    return text


# What the scripts decide by themselves, and what has an option of its own.
_DECIDED = {
    "chdir", "dependency", "error", "help", "input", "job-name", "no-requeue", "ntasks", "open-mode",
    "output", "parsable", "requeue", "signal", "usage", "version", "wrap",
}  # fmt: skip
_OWN = {
    "array": "array", "time": "time", "partition": "partition", "cpus-per-task": "cpus", "mem": "mem",
    "test-only": "dry_run",
}  # fmt: skip


def _for_sbatch(word: str) -> str:
    name = word.partition("=")[0]
    if CONTROL.search(word):
        raise ValueError(f"must be one line without control characters, got {word!r}")
    if not re.fullmatch(r"--[a-z][a-z0-9-]+", name):
        raise ValueError(f"must be an option of sbatch as one word, e.g. --sbatch=--account=x, got {word!r}")
    # SLURM takes the beginning of an option's name for the option.
    for decided in sorted({*_DECIDED, *_OWN}):
        if decided.startswith(name[2:]):
            by = f"--{_OWN[decided]}" if decided in _OWN else "the script"
            raise ValueError(f"must leave --{decided} alone, which {by} sets, got {word!r}")
    return word


_ForSbatch = Annotated[str, AfterValidator(_for_sbatch)]


class SlurmSettings(SearchSettings):
    """Options of ``slurm``: those of the array, and all of a search, which reach its tasks as they are."""

    array: int = option(
        role="progress", ge=1, le=100_000, description="tasks of the array, each with a part of the grid"
    )
    parallel: int | None = option(
        None, role="progress", ge=1, description="tasks that run at once; by default as SLURM sees fit"
    )
    time: Annotated[str, AfterValidator(_time)] = option(
        role="place",
        description="time limit of a task, e.g. 12:00:00; one that needs longer is queued again and goes on",
    )
    partition: Annotated[str, AfterValidator(_word)] | None = option(
        None, role="place", description="partition to run in"
    )
    sbatch: Annotated[tuple[_ForSbatch, ...], WORDS] = option(
        (),
        role="place",
        words={"repeated": True},
        description='another option of sbatch, for both jobs, e.g. "--account=x" or "--qos=long"; may be '
        "given several times",
    )
    cpus: int = option(1, role="place", ge=1, description="cores of a task: fits it trains at once")
    mem: Annotated[str, AfterValidator(_mem)] | None = option(
        None, role="place", description="memory of a task, e.g. 4G"
    )
    dry_run: bool = again(
        SearchSettings, "dry_run", False, description="print the two scripts and submit nothing"
    )

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        problems = super().contradictions()
        reasons = {
            "jobs": "--cpus says how many fits a task trains at once",
            "shard": "--array divides the grid",
            "fresh": "a task that is queued again would start over; name a new --output_dir",
            "storage": "each task keeps a journal of its own, and the merge job joins them",
            "scheduler": "an array or a Dask cluster, not both",
            "verify": "it is a matter of seconds; run `autoenc search --verify`",
        }
        given = self.model_fields_set
        problems += [
            ((name,), f"--{name} does not go with an array: {why}")
            for name, why in reasons.items()
            if name in given
        ]
        if self.strategy == "halving":
            text = "--strategy halving needs all results to go on and cannot be divided into an array"
            problems.append((("strategy",), text))
        return problems
