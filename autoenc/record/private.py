"""The private names of Optuna and CMA-ES that there is no way around; no other file uses any."""

from __future__ import annotations

import copy
import json
import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import distribution_to_json
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage, _StudyInfo
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._storage import JournalOperation, JournalStorageReplayResult
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial

__all__ = [
    "CachedDatabase", "Database", "FrozenStudy", "Journal", "JournalOperation", "Replay",
    "SearchSpaceTransform", "begun_trial", "id_of", "spread_of", "storage_of", "study_id", "trial_id",
]  # fmt: skip

# FrozenStudy is what get_all_studies of every storage returns; by the numbers of JournalOperation lines of a
# journal say what they do.

SearchSpaceTransform = _SearchSpaceTransform
"""Parameters as a vector, as Optuna's own samplers take them; a sampler like them needs the same vectors."""


def trial_id(trial: FrozenTrial) -> int:
    """Return the id of a trial in its storage: all methods of storages want it, and it has no public name."""
    return trial._trial_id


def study_id(study: FrozenStudy) -> int:
    """Return the id of a study in its storage; see :func:`trial_id`."""
    return study._study_id


def storage_of(study: optuna.Study) -> BaseStorage:
    """Return the storage of a study: a study that somebody else opened says it by no public name."""
    return study._storage


def id_of(study: optuna.Study) -> int:
    """Return the id of an open study in its storage; see :func:`trial_id`."""
    return study._study_id


def begun_trial(study: optuna.Study, trial: FrozenTrial) -> optuna.Trial:
    """Return a trial that somebody began, as the one who goes on with it needs it.

    Optuna gives such a handle only to the process that asked for the trial.
    """
    return optuna.Trial(study, trial._trial_id)


def spread_of(optimizer: Any) -> tuple[Any, Any]:
    """Return the axes of the ellipsoid that a CMA-ES of the library ``cmaes`` draws from, and their lengths.

    It shows its mean, but neither its covariances nor its step size.
    """
    vectors, lengths = optimizer._eigen_decomposition()
    return vectors, optimizer._sigma * lengths


class _Trials(dict[int, FrozenTrial]):
    """Trials by their ids, those that are kept elsewhere read when they are asked for."""

    def __init__(self, read: Callable[[int], FrozenTrial]) -> None:
        super().__init__()
        self._read, self._n, self.elsewhere = read, 0, dict[int, Any]()

    def keep(self, trial_id: int, place: Any) -> None:
        self.elsewhere[trial_id] = place
        self._n += 1

    def __len__(self) -> int:
        return self._n

    def __contains__(self, trial_id: object) -> bool:
        return super().__contains__(trial_id) or trial_id in self.elsewhere

    def __setitem__(self, trial_id: int, trial: FrozenTrial) -> None:
        self._n += trial_id not in self
        super().__setitem__(trial_id, trial)

    def __missing__(self, trial_id: int) -> FrozenTrial:
        if trial_id not in self.elsewhere:
            raise KeyError(trial_id)
        trial = self[trial_id] = self._read(trial_id)
        return trial

    def get(self, trial_id: int, default: Any = None) -> Any:
        return self[trial_id] if trial_id in self else default  # noqa: SIM401  (that would be this one)


class Replay(JournalStorageReplayResult):
    """The state that a journal leads to; Optuna has no public way to begin what a lost line began.

    A line with a whole trial is not replayed, but kept by its place and read when somebody asks for it.
    """

    _trials: _Trials

    def __init__(self, worker_id_prefix: str) -> None:
        super().__init__(worker_id_prefix)
        self._trials = _Trials(self._trial_elsewhere)
        self._last_created_trial_id_by_this_process = -1

    def entry_at(self, place: Any) -> dict[str, Any]:
        """Return the line at a place, which was seen to hold a whole trial."""
        raise NotImplementedError

    @property
    def n_trials(self) -> int:
        """Trials of all studies."""
        return len(self._trials)

    @property
    def n_studies(self) -> int:
        """Studies that were ever begun, those that were deleted, too."""
        return self._next_study_id

    def counts(self) -> list[int]:
        """Return how many trials every study has that ever was."""
        return [len(ids) for ids in self._study_id_to_trial_ids.values()]

    def n_trials_of(self, study_id: Any) -> int | None:
        """Return how many trials a study has; None where there is no such study, or not any more."""
        return len(self._study_id_to_trial_ids[study_id]) if study_id in self._studies else None

    def study_holding(self, trial_id: int) -> int:
        """Return the id of a trial's study."""
        return self._trial_id_to_study_id[trial_id]

    def ids_of(self, study_id: int) -> list[int]:
        """Return the ids of a study's trials, in their order."""
        return self._study_id_to_trial_ids[study_id]

    def place_of(self, trial_id: int) -> Any:
        """Return where a trial is kept; None of one that was replayed."""
        return self._trials.elsewhere.get(trial_id)

    def begin_study(self, log: dict[str, Any]) -> None:
        """Do as a line that begins a study."""
        self._apply_create_study(log)

    def begin_trial(self, log: dict[str, Any]) -> None:
        """Do as a line that begins a trial."""
        self._apply_create_trial(log)

    def keep_trial(self, study_id: int, worker_id: str, place: Any) -> None:
        """Do as a line that holds a whole trial, without reading the trial.

        Raises:
            KeyError: If this worker wrote it, and there is no such study.
        """
        if not self._study_exists(study_id, {"worker_id": worker_id}):
            return
        trial_id = len(self._trials)
        self._trials.keep(trial_id, place)
        self._study_id_to_trial_ids[study_id].append(trial_id)
        self._trial_id_to_study_id[trial_id] = study_id
        if worker_id == self.worker_id:
            self._last_created_trial_id_by_this_process = trial_id

    def _trial_elsewhere(self, trial_id: int) -> FrozenTrial:
        alone = JournalStorageReplayResult("")
        alone._apply_create_study({"study_name": "", "directions": [1], "worker_id": "-"})
        alone._apply_create_trial({**self.entry_at(self._trials.elsewhere[trial_id]), "study_id": 0})
        trial = alone._trials[0]
        ids = self._study_id_to_trial_ids[self._trial_id_to_study_id[trial_id]]
        trial.number, trial._trial_id = bisect_left(ids, trial_id), trial_id
        return trial


class Journal(JournalStorage):
    """The storage of a journal with a replay of another kind, which Optuna does not let one choose.

    Args:
        backend: The file.
        make_replay: Makes the replay, from the beginning of the name of whoever writes.
    """

    replay: Replay | None = None

    def __init__(self, backend: JournalFileBackend, make_replay: Callable[[str], Replay]) -> None:
        super().__init__(backend)
        self._replay_result = self.replay = make_replay(self._worker_id_prefix)
        self.synchronize()

    @property
    def lock(self) -> threading.Lock:
        """Held by the thread that reads or writes; all of Optuna's methods take it."""
        return self._thread_lock

    def synchronize(self) -> None:
        """Read what others have written."""
        self._sync_with_backend()

    def _sync_with_backend(self) -> None:
        if self.replay is not None:  # the base class would read with a replay of its own
            super()._sync_with_backend()

    def _write_log(self, op_code: int, extra_fields: dict[str, Any]) -> None:
        assert self.replay is not None
        self.write({"op_code": op_code, "worker_id": self.replay.worker_id, **extra_fields})

    def write(self, log: dict[str, Any]) -> None:
        """Write a line."""
        raise NotImplementedError


class Database(RDBStorage):
    """Optuna's storage of a database, whose reading of trials can be replaced; the method is private."""

    def _get_trials(
        self, study_id: int, states: Any, included_trial_ids: set[int], trial_id_greater_than: int
    ) -> list[FrozenTrial]:
        return self.read_trials(study_id, states, included_trial_ids, trial_id_greater_than)

    def read_trials(
        self, study_id: int, states: Any, included_trial_ids: set[int], trial_id_greater_than: int
    ) -> list[FrozenTrial]:
        """Return the trials whose id is greater, and those that are included, by their ids."""
        return super()._get_trials(study_id, states, included_trial_ids, trial_id_greater_than)

    def add_trials(self, study_id: int, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Add trials that ended in one transaction; Optuna takes one for each, and a query for each cell.

        Returns:
            The trials as they are stored, with their ids and numbers.
        """
        from optuna.storages._rdb import models
        from optuna.storages._rdb.storage import _create_scoped_session
        from sqlalchemy import func, insert, select, update

        studies, heads_of = models.StudyModel.__table__, models.TrialModel.__table__
        with _create_scoped_session(self.scoped_session) as session:
            # A write, so that SQLite locks as well, and nobody else counts the same trials.
            same = (
                update(studies).where(studies.c.study_id == study_id).values(study_name=studies.c.study_name)
            )
            session.execute(same)
            models.StudyModel.find_or_raise_by_id(study_id, session)
            first = int(session.scalar(select(func.count()).where(heads_of.c.study_id == study_id)) or 0)
            heads = [
                models.TrialModel(
                    study_id=study_id, number=number, state=trial.state,
                    datetime_start=trial.datetime_start, datetime_complete=trial.datetime_complete,
                )
                for number, trial in enumerate(trials, first)
            ]  # fmt: skip
            session.add_all(heads)
            session.flush()  # gives them their ids, which increase in this order
            stored = []
            head: Any
            for head, trial in zip(heads, trials, strict=True):
                stored.append(copy.copy(trial))
                stored[-1].number, stored[-1]._trial_id = head.number, head.trial_id
            for table, rows in _rows_of(stored):
                if rows:
                    session.execute(insert(table), rows)
        return stored


def _rows_of(trials: Sequence[FrozenTrial]) -> list[tuple[Any, list[dict[str, Any]]]]:
    """Return the rows of trials in all tables but that of the trials themselves."""
    from optuna.storages._rdb import models

    values, params, users, systems, steps = (list[dict[str, Any]]() for _ in range(5))
    of_value = models.TrialValueModel.value_to_stored_repr
    of_step = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
    for trial in trials:
        key = {"trial_id": trial._trial_id}
        for objective, value in enumerate(trial.values or ()):
            number, kind = of_value(value)
            values.append({**key, "objective": objective, "value": number, "value_type": kind})
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            params.append({
                **key, "param_name": name, "param_value": distribution.to_internal_repr(value),
                "distribution_json": distribution_to_json(distribution),
            })  # fmt: skip
        for rows, attributes in ((users, trial.user_attrs), (systems, trial.system_attrs)):
            rows += [
                {**key, "key": name, "value_json": json.dumps(value)} for name, value in attributes.items()
            ]
        for step, value in trial.intermediate_values.items():
            number, step_kind = of_step(value)
            row = {"intermediate_value": number, "intermediate_value_type": step_kind}
            steps.append({**key, "step": step, **row})
    return [
        (models.TrialValueModel.__table__, values), (models.TrialParamModel.__table__, params),
        (models.TrialUserAttributeModel.__table__, users),
        (models.TrialSystemAttributeModel.__table__, systems),
        (models.TrialIntermediateValueModel.__table__, steps),
    ]  # fmt: skip


class CachedDatabase(_CachedStorage):
    """Optuna's own cache in front of a database, so that trials that ended are read once."""

    def add_trials(self, study_id: int, trials: Sequence[FrozenTrial]) -> None:
        """Add trials that ended; see :class:`Database`."""
        assert isinstance(self._backend, Database)
        stored = self._backend.add_trials(study_id, trials)
        with self._lock:
            self._studies.setdefault(study_id, _StudyInfo())
            self._add_trials_to_cache(study_id, stored)

    def study_of(self, trial: FrozenTrial) -> int | None:
        """Return the id of the study of a trial; None where it was not read yet."""
        known = self._trial_id_to_study_id_and_number.get(trial._trial_id)
        return None if known is None else known[0]
