"""The Optuna study in which a search of modules is recorded: in memory, in a journal, in a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from autoenc.errors import InputError
from autoenc.record.lock import RecordLock
from autoenc.record.processes import this_process
from autoenc.record.storage import open_storage
from autoenc.system.surroundings import quiet_optuna
from autoenc.tuning.study import PROCESS, abandoned

__all__ = ["began_module_study", "found_module_study", "left_running", "opened", "told"]

_IDENTITY = "autoenc_modules"


def told(value: Any) -> str:
    """A value as text that is the same in every process."""
    return getattr(value, "__qualname__", None) or re.sub(r" at 0x[0-9a-f]+", "", repr(value))


@contextmanager
def opened(place: str | Path | None) -> Iterator[tuple[BaseStorage, bool]]:
    """Open a storage to write, and tell whether no other process can write to it meanwhile.

    Args:
        place: An Optuna URL, a journal's path, or None for memory.

    Raises:
        InputError: If it cannot be opened, or another process has the journal.
    """
    if place is None:
        yield InMemoryStorage(), True
    elif isinstance(place, str):
        yield open_storage(place), False
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        with RecordLock(place, advice="wait for it, or give another storage"):
            yield open_storage(place), True


@quiet_optuna()
def began_module_study(
    storage: BaseStorage, name: str, about: Mapping[str, Any], sampler: BaseSampler, pruner: BasePruner
) -> optuna.Study:
    """Open the study of a search, beginning it where there is none.

    Args:
        storage: Where it is.
        name: Its name.
        about: All that its trials depend on, as plain values.
        sampler: What proposes.
        pruner: What ends trials early.

    Raises:
        InputError: If the study of this name is another search's.
    """
    study = optuna.create_study(
        study_name=name, storage=storage, sampler=sampler, pruner=pruner, load_if_exists=True
    )
    if not study.get_trials(deepcopy=False) and _IDENTITY not in study.user_attrs:
        study.set_user_attr(_IDENTITY, dict(about))
    _check(study, about)
    return study


def found_module_study(place: str | Path | None, name: str, about: Mapping[str, Any]) -> optuna.Study:
    """The study of an earlier search, to be read.

    Raises:
        InputError: If there is none, or it is another search's.
    """
    if place is None or (isinstance(place, Path) and not place.exists()):
        where = "no storage" if place is None else str(place)
        raise InputError(f"there is no search yet ({where}); run optimize first")
    storage = open_storage(place, read_only=True)
    if name not in {study.study_name for study in storage.get_all_studies()}:
        raise InputError(f"there is no search {name!r} yet in {place}; run optimize first")
    study = optuna.load_study(study_name=name, storage=storage)
    _check(study, about)
    return study


def _check(study: optuna.Study, about: Mapping[str, Any]) -> None:
    found = study.user_attrs.get(_IDENTITY, {})
    differing = [key for key in about if key != "code" and found.get(key) != about[key]]
    # Earlier records do not know the code; of torch's own there is no hash, its name tells it.
    code, known = about["code"], found.get("code", {})
    differing += [f"the code of {key}" for key in code if known.get(key, code[key]) != code[key]]
    if differing:
        raise InputError(
            f"study {study.study_name!r} of the storage is another search; it differs in "
            f"{', '.join(differing)}; give another study_name or storage"
        )


def left_running(study: optuna.Study, alone: bool) -> list[FrozenTrial]:
    """Trials that were begun and are in nobody's hands, the oldest first."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    left = {trial.number for trial in abandoned(study, alone)}
    # What this process began before was interrupted: a process works on a study once at a time.
    left |= {trial.number for trial in running if trial.user_attrs.get(PROCESS) == this_process()}
    return [trial for trial in running if trial.number in left]
