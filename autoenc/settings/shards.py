"""The part of a search that a process trains: by an option, or by the variables of a SLURM array."""

from __future__ import annotations

import os
from collections.abc import Mapping

from autoenc.errors import InputError

__all__ = ["parse_shard", "shard_from_environment", "shard_option"]


def parse_shard(text: str) -> tuple[int, int]:
    """Return ``"2/8"`` as ``(2, 8)``.

    Raises:
        ValueError: If it is not i/N with 0 <= i < N.
    """
    index, slash, count = text.partition("/")
    if not (slash and index.isascii() and index.isdigit() and count.isascii() and count.isdigit()):
        raise ValueError(f"must be i/N, e.g. 0/4, got {text!r}")
    if int(index) >= int(count):
        raise ValueError(f"must be i/N with i from 0 to N-1, got {text!r}")
    return int(index), int(count)


def shard_from_environment(environment: Mapping[str, str] = os.environ) -> tuple[int, int] | None:
    """Return the shard that a SLURM array task is to train; None outside of one, or where it stands alone.

    Raises:
        InputError: If the variables say no shard; it names all that are wrong.
    """
    names = {"ID": None, "COUNT": None, "MIN": 0, "STEP": 1}
    given = {name: environment.get(f"SLURM_ARRAY_TASK_{name}") or None for name in names}
    advice = "name the part with --shard i/N, or unset the SLURM_ARRAY_TASK_ variables"
    wrong = [
        f"SLURM_ARRAY_TASK_{name} must be a whole number, got {text!r}; {advice}"
        for name, text in given.items()
        if text is not None and not (text.isascii() and text.isdigit())
    ]
    if given["ID"] is not None and given["COUNT"] is None:
        wrong.append(f"SLURM_ARRAY_TASK_COUNT must say how many tasks there are, and is not there; {advice}")
    if wrong:
        raise InputError(wrong)
    if given["ID"] is None:
        return None
    task, count, first, step = (int(given[name] or default or 0) for name, default in names.items())
    if count < 2:
        return None
    index, rest = divmod(task - first, step or 1)
    if rest or not 0 <= index < count:
        raise InputError(
            f"SLURM_ARRAY_TASK_ID {task} is none of {count} tasks from {first} in steps of {step}; {advice}"
        )
    return index, count


def shard_option(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return :func:`shard_from_environment` as the option that it stands for; empty where it says nothing."""
    shard = shard_from_environment(environment)
    return {} if shard is None else {"shard": f"{shard[0]}/{shard[1]}"}
