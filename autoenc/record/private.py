"""The private names of Optuna and CMA-ES that there is no way around; no other file uses any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optuna
from optuna._transform import _SearchSpaceTransform
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._storage import JournalOperation, JournalStorageReplayResult
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial

__all__ = [
    "CachedDatabase", "Database", "FrozenStudy", "Journal", "JournalOperation", "Replay",
    "SearchSpaceTransform", "begun_trial", "spread_of", "storage_of", "study_id", "trial_id",
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


class Replay(JournalStorageReplayResult):
    """The state that a journal leads to; Optuna has no public way to begin what a lost line began."""

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

    def begin_study(self, log: dict[str, Any]) -> None:
        """Do as a line that begins a study."""
        self._apply_create_study(log)

    def begin_trial(self, log: dict[str, Any]) -> None:
        """Do as a line that begins a trial."""
        self._apply_create_trial(log)


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


class CachedDatabase(_CachedStorage):
    """Optuna's own cache in front of a database, so that trials that ended are read once."""

    def study_of(self, trial: FrozenTrial) -> int | None:
        """Return the id of the study of a trial; None where it was not read yet."""
        known = self._trial_id_to_study_id_and_number.get(trial._trial_id)
        return None if known is None else known[0]
