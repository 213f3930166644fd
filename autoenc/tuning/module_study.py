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
from autoenc.record.record import PROCESS, Kind, Record
from autoenc.record.storage import open_storage

__all__ = ["MODULES", "ModuleRecord", "began_module_study", "found_module_study", "opened", "stable_text"]

MODULES = "autoenc_modules"
"""The attribute by which the study of a search of modules is known."""
_LATER = {"folds": 0, "seeds": 1}  # what records of earlier searches do not mention


def stable_text(value: Any) -> str:
    """Return a value as text that is the same in every process."""
    return getattr(value, "__qualname__", None) or re.sub(r" at 0x[0-9a-f]+", "", repr(value))


@contextmanager
def opened(place: str | Path | None) -> Iterator[tuple[BaseStorage, bool]]:
    """Open a storage to write, and say whether no other process can write to it meanwhile.

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


def _kind(name: str) -> Kind:
    def differences(noted: Mapping[str, Any], about: Mapping[str, Any]) -> list[str]:
        known_of = {**_LATER, **noted}
        words = [key for key in about if key != "code" and known_of.get(key) != about[key]]
        # Earlier records do not know the code; of torch's own there is no hash; its name identifies it.
        code, known = about["code"], noted.get("code", {})
        return words + [f"the code of {key}" for key in code if known.get(key, code[key]) != code[key]]

    def refusal(words: str) -> str:
        return (
            f"study {name!r} of the storage is another search; it differs in {words}; give another "
            "study_name or storage"
        )

    return Kind(MODULES, differences, refusal, refusal("everything that identifies it"))


class ModuleRecord(Record):
    """The record of a search of modules; a process works on it once at a time."""

    def left(self) -> list[FrozenTrial]:
        """See :class:`~autoenc.record.record.Record`; what this process began before was interrupted."""
        known = {trial.number for trial in super().left()}
        return [
            trial
            for trial in self.trials(TrialState.RUNNING)
            if trial.number in known or trial.user_attrs.get(PROCESS) == this_process()
        ]


def began_module_study(
    storage: BaseStorage,
    name: str,
    about: Mapping[str, Any],
    sampler: BaseSampler,
    pruner: BasePruner,
    is_alone: bool,
    fresh: bool = False,
) -> Record:
    """Open the record of a search, beginning it where there is none.

    Args:
        storage: Where it is.
        name: Its name.
        about: All that its trials depend on, as plain values.
        sampler: What proposes.
        pruner: What ends trials early.
        is_alone: Whether no other process works on it.
        fresh: Keep a search of this name aside, and begin another.

    Raises:
        InputError: If the study of this name is another search's.
    """
    record = ModuleRecord.open(
        storage, name, _kind(name), about, sampler=sampler, pruner=pruner, is_alone=is_alone, fresh=fresh
    )
    if MODULES not in record.study.user_attrs:
        record.note(MODULES, dict(about))
    return record


def found_module_study(place: str | Path | None, name: str, about: Mapping[str, Any]) -> optuna.Study:
    """Return the study of an earlier search, to be read.

    Raises:
        InputError: If there is none, or it is another search's.
    """
    if place is None or (isinstance(place, Path) and not place.exists()):
        where = "no storage" if place is None else str(place)
        raise InputError(f"there is no search yet ({where}); run optimize first")
    storage = open_storage(place, read_only=True)
    if name not in {study.study_name for study in storage.get_all_studies()}:
        raise InputError(f"there is no search {name!r} yet in {place}; run optimize first")
    record = Record(optuna.load_study(study_name=name, storage=storage))
    record.check(_kind(name), about)
    return record.study
