"""The durable record of a search: an Optuna study that knows which search it belongs to.

One class opens it, refuses that of another search, begins trials, and resumes those that a killed process
left, for every kind of search; :class:`~autoenc.record.fits.FitRecord` holds single fits besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from autoenc.errors import InputError
from autoenc.record.checked import Checked
from autoenc.record.digest import DIGEST, MEASURED, begun_digest, is_sealed, sealed
from autoenc.record.private import begun_trial, storage_of
from autoenc.record.processes import is_alive, this_process
from autoenc.system.surroundings import quiet_optuna

__all__ = [
    "CONTEXT", "PROCESS", "TRANSFER", "TUNE", "Kind", "Record", "begun_study", "differing", "keep_n_trials",
    "keep_study_aside", "transfer_folder", "transfer_name",
]  # fmt: skip

CONTEXT = "autoenc_context"
"""The attribute by which the study of an exhaustive search is known."""
TUNE = "autoenc_tune"
"""The attribute by which the study of an adaptive search is known."""
TRANSFER = "autoenc_transfer_context"
"""The attribute by which the study of a transfer-aware search is known."""
PROCESS = "process"
"""The attribute that says which process is at work on a trial."""
_TRANSFER_NAME = "transfer-"
_USED, _TURN = "autoenc_last_used", "autoenc_turn"
_MARKING = timedelta(seconds=30)  # after this long a trial without a mark counts as orphaned
_SILENCE = timedelta(hours=6)  # after this long a trial of another host counts as orphaned


class Kind(NamedTuple):
    """A kind of search, and how to tell one search of it from another.

    Attributes:
        key: The attribute of a study that describes its search.
        differences: What differs between that attribute and what is wanted, in words; nothing where it is the
            same search.
        refusal: Make the message for another search's study from the differences.
        unnamed: The message for a study with trials but no description; empty where that is no problem.
    """

    key: str
    differences: Callable[[Mapping[str, Any], Mapping[str, Any]], list[str]]
    refusal: Callable[[str], str]
    unnamed: str = ""


def differing(noted: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the keys of values that are not the same, in alphabetical order."""
    return [key for key in sorted({*noted, *wanted}) if noted.get(key) != wanted.get(key)]


def keep_n_trials(settings: dict[str, Any], n_trials: int, recorded: Mapping[str, Any]) -> None:
    """Keep the recorded ``n_trials`` if fewer are requested now than there are.

    Args:
        settings: The options to be recorded, as plain values; changed in place.
        n_trials: Trials that were begun.
        recorded: The options that are recorded so far.
    """
    if settings["n_trials"] < n_trials:
        settings["n_trials"] = recorded.get("n_trials", settings["n_trials"])


@quiet_optuna()
def begun_study(
    storage: BaseStorage, name: str, sampler: BaseSampler | None = None, pruner: BasePruner | None = None
) -> optuna.Study:
    """Return the study of this name, creating it if there is none."""
    return optuna.create_study(
        study_name=name, storage=storage, sampler=sampler, pruner=pruner, load_if_exists=True
    )


def transfer_name(folder: Path) -> str:
    """Return the name of a two-stage search's study in a storage that may hold several.

    Args:
        folder: Of the search, whose name is the search's.
    """
    return f"{_TRANSFER_NAME}{folder.resolve().name}"


def transfer_folder(study: optuna.Study) -> str:
    """Return the name of the folder of such a search; see :func:`transfer_name`."""
    return study.study_name.removeprefix(_TRANSFER_NAME)


def keep_study_aside(storage: BaseStorage, name: str) -> str | None:
    """Rename a study of a storage; returns its new name, None if there was none."""
    names = {study.study_name for study in storage.get_all_studies()}
    if name not in names:
        return None
    stamp = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    kept, n = f"{name}.{stamp}", 1
    while kept in names:
        n += 1
        kept = f"{name}.{stamp}-{n}"
    with quiet_optuna():
        optuna.copy_study(from_study_name=name, from_storage=storage, to_storage=storage, to_study_name=kept)
    # The copy is no record any more: a search must not find two of the same kind.
    study = optuna.load_study(study_name=kept, storage=storage)
    for key in (CONTEXT, TUNE, TRANSFER):
        if key in study.user_attrs:
            study.set_user_attr(f"{key}_kept", study.user_attrs[key])
            study.set_user_attr(key, None)
    optuna.delete_study(study_name=name, storage=storage)
    return kept


class Record:
    """A search's study.

    Args:
        study: The Optuna study.
        is_alone: Whether no other process can be at work on it, because this one holds its lock.

    Attributes:
        kept_aside: The name that an earlier study of this name was kept under when this one was opened.
    """

    def __init__(self, study: optuna.Study, is_alone: bool = True) -> None:
        self.study, self.is_alone = study, is_alone
        self.kept_aside: str | None = None

    @classmethod
    def open(
        cls,
        storage: BaseStorage,
        name: str,
        kind: Kind,
        wanted: Mapping[str, Any],
        *,
        sampler: BaseSampler | None = None,
        pruner: BasePruner | None = None,
        is_alone: bool = True,
        fresh: bool = False,
    ) -> Record:
        """Open the record of a search, beginning it where there is none.

        Args:
            storage: Where it is.
            name: Of its study.
            kind: Of what sort it is.
            wanted: All that its trials depend on, as plain values.
            sampler: What proposes its trials.
            pruner: What ends them early.
            is_alone: See the class.
            fresh: Keep a study of this name aside, and begin another.

        Raises:
            InputError: If the study is another search's; it says what differs.
        """
        kept = keep_study_aside(storage, name) if fresh else None
        record = cls(begun_study(storage, name, sampler, pruner), is_alone)
        record.kept_aside = kept
        record.check(kind, wanted)
        return record

    @classmethod
    def all_of(cls, storage: BaseStorage, key: str) -> list[Record]:
        """Return the records of one sort that a storage holds, the last used one last.

        Args:
            storage: Where they are.
            key: The attribute by which they are known: :data:`TUNE` or :data:`TRANSFER`.
        """
        records = [
            Record(optuna.load_study(study_name=frozen.study_name, storage=storage))
            for frozen in storage.get_all_studies()
            if frozen.user_attrs.get(key)
        ]
        return sorted(records, key=lambda record: record.last_used)

    @property
    def noted(self) -> dict[str, Any]:
        """What an adaptive search noted about itself; empty of another one."""
        return dict(self.study.user_attrs.get(TUNE) or {})

    @property
    def latent_dim(self) -> int | None:
        """Latent size of the search; None where it tries several."""
        return int(self.noted["settings"]["latent_dim"]) if self.noted else None

    def check(self, kind: Kind, wanted: Mapping[str, Any]) -> None:
        """Check that it is the record of a search; raises as :meth:`open`."""
        noted = self.study.user_attrs.get(kind.key)
        if noted is None:
            if kind.unnamed and self.trials():
                raise InputError(kind.unnamed)
            return
        if words := kind.differences(noted, wanted):
            raise InputError(kind.refusal(", ".join(words)))

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return trials in these states, by default all; not copied, and not to be changed."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def note(self, key: str, value: Any) -> None:
        """Store a plain value under a key, unless it is there already."""
        if self.study.user_attrs.get(key) != value:
            self.study.set_user_attr(key, value)

    def note_use(self) -> None:
        """Note that it is the one that was used last of its storage."""
        turns = [study.user_attrs.get(_TURN, 0) for study in storage_of(self.study).get_all_studies()]
        self.study.set_user_attr(_TURN, 1 + max(turns))
        self.study.set_user_attr(_USED, datetime.now(UTC).isoformat())

    @property
    def last_used(self) -> tuple[int, str]:
        """What records of a storage sort by, the last used one last.

        It is counted in the record, as a clock may have been set back; of those that an earlier version has
        used there is only the time.
        """
        known = self.study.user_attrs
        return int(known.get(_TURN, 0)), str(known.get(_USED, ""))

    def begin(self) -> optuna.Trial:
        """Begin a trial and note its process, so that others can tell whether it is still running."""
        trial = self.study.ask()
        trial.set_user_attr(PROCESS, this_process())
        return trial

    def seal(self, trial: optuna.Trial) -> None:
        """Keep a digest of what was drawn for a trial: who goes on with it sees whether it was changed."""
        if isinstance(storage_of(self.study), Checked):
            drawn = begun_digest(self.study.study_name, trial.number, trial.params)
            if trial.user_attrs.get(DIGEST) != drawn:
                trial.set_user_attr(DIGEST, drawn)

    def note_measured(self, trial: optuna.Trial, value: Any) -> None:
        """Keep what units of a trial in training came to, as plain values, for whoever takes it up."""
        if isinstance(storage_of(self.study), Checked):
            key = f"{MEASURED} {trial.number}"
            with suppress(UpdateFinishedTrialError):  # it was judged by others, or another process ended it
                trial.set_user_attr(MEASURED, sealed(self.study.study_name, key, value))

    def measured(self, trial: optuna.Trial) -> Any:
        """Return what was kept of a trial; None where nothing was, or where it was changed since."""
        kept, key = trial.user_attrs.get(MEASURED), f"{MEASURED} {trial.number}"
        return kept["value"] if kept and is_sealed(self.study.study_name, key, kept) else None

    def take_up(self, trial: FrozenTrial) -> optuna.Trial:
        """Resume a trial that was begun before."""
        return begun_trial(self.study, trial)

    def left(self) -> list[FrozenTrial]:
        """Return orphaned trials: running ones whose process has ended, the oldest first."""
        running = self.trials(TrialState.RUNNING)
        return [trial for trial in running if self.is_alone or _is_abandoned(trial)]

    def has_unmarked(self) -> bool:
        """Return whether there is a running trial whose owner is unknown."""
        return any(PROCESS not in trial.user_attrs for trial in self.trials(TrialState.RUNNING))


def _is_abandoned(trial: FrozenTrial) -> bool:
    started = trial.datetime_start or datetime.now()
    if PROCESS not in trial.user_attrs:  # a living process marks its trial at once
        return datetime.now() - started > _MARKING
    alive = is_alive(trial.user_attrs[PROCESS])
    return datetime.now() - started > _SILENCE if alive is None else not alive
