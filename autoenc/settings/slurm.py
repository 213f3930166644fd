"""Options of a search as a SLURM job array."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from autoenc.settings.search import SearchSettings

__all__ = ["SlurmSettings"]

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


class SlurmSettings(SearchSettings):
    """Options of ``slurm``: those of the array, and all of a search, which reach its tasks as they are."""

    array: int = Field(ge=1, le=100_000, description="tasks of the array, each with a part of the grid")
    parallel: int | None = Field(
        None, ge=1, description="tasks that run at once; by default as SLURM sees fit"
    )
    time: Annotated[str, AfterValidator(_time)] = Field(
        description="time limit of a task, e.g. 12:00:00; one that needs longer is queued again and goes on"
    )
    partition: Annotated[str, AfterValidator(_word)] | None = Field(None, description="partition to run in")
    cpus: int = Field(1, ge=1, description="cores of a task: fits it trains at once")
    mem: Annotated[str, AfterValidator(_mem)] | None = Field(None, description="memory of a task, e.g. 4G")
    dry_run: bool = Field(False, description="print the two scripts and submit nothing")

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        found = super().contradictions()
        reasons = {
            "jobs": "--cpus says how many fits a task trains at once",
            "shard": "--array divides the grid",
            "fresh": "a task that is queued again would start over; name a new --output_dir",
            "storage": "each task keeps a journal of its own, and the merge job joins them",
            "scheduler": "an array or a Dask cluster, not both",
            "verify": "it is a matter of seconds; run `autoenc search --verify`",
        }
        given = self.model_fields_set
        found += [
            ((name,), f"--{name} does not go with an array: {why}")
            for name, why in reasons.items()
            if name in given
        ]
        if self.strategy == "halving":
            text = "--strategy halving needs all results to go on and cannot be divided into an array"
            found.append((("strategy",), text))
        return found
