"""Storages that keep a digest with all that they are given, and show nothing whose digest does not hold."""

# Its methods stand before those of a real storage, so that none of super() is abstract.
# mypy: disable-error-code="safe-super"

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autoenc.record.digest import (
    DIGEST,
    LOST,
    holds,
    is_as_begun,
    is_sealed,
    lost_trial,
    sealed,
    trial_digest,
    without_digest,
)
from autoenc.record.private import FrozenStudy, trial_id
from autoenc.system.text import warn_once

__all__ = ["NOTE", "Checked", "Finished"]

_OURS = "autoenc"  # how the attributes of a study begin that are ours
NOTE = "autoenc_digests"
"""The attribute of a study that says since when it has digests."""


def _as_read_again(trial: FrozenTrial) -> FrozenTrial:
    """Return a copy of a trial with its numbers as a database gives them back: 1 as a loss is 1.0."""
    shown = without_digest(trial)
    if shown.values is not None:
        shown.values = [float(value) for value in shown.values]
    shown.intermediate_values = {step: float(value) for step, value in shown.intermediate_values.items()}
    shown.params = {
        name: kind.to_external_repr(kind.to_internal_repr(shown.params[name]))
        for name, kind in shown.distributions.items()
    }
    return shown


class Finished(NamedTuple):
    """What counts of a trial that ended, under the names of :class:`optuna.trial.FrozenTrial`."""

    state: TrialState
    value: float | None
    intermediate_values: dict[int, float]
    user_attrs: dict[str, Any]


if TYPE_CHECKING:
    _Base = BaseStorage
else:
    _Base = ABC  # the storage that it is put before comes after it


class Checked(_Base):
    """A check of all content in front of one of Optuna's storages.

    A trial whose record is damaged is shown as one that failed, so that it is never the best and no
    sampler learns from it; an attribute of a study that is damaged is not shown. Both are reported once.

    Attributes:
        place: File or URL, for people.
        damage: What was found damaged so far, a line each.
    """

    place: str
    damage: dict[str, None]
    _shown: dict[int, tuple[FrozenTrial, FrozenTrial]]

    def _begin(self, place: str) -> None:
        self.place, self.damage, self._shown = place, {}, {}

    def damaged(self, what: str, effect: str) -> None:
        """Report damage and its consequence."""
        self.damage[what] = None
        warn_once(f"warning: {self.place}: {what} is damaged: {effect}")

    def where(self, trial: FrozenTrial) -> str:
        """Return where a trial stands in the file, for people."""
        return f"trial {trial.number}"

    @abstractmethod
    def study_holding(self, trial: FrozenTrial) -> int:
        """Return the id of a trial's study."""

    def lose(self, trial: FrozenTrial, why: str) -> None:
        """Tell that a trial is damaged."""
        self.damaged(f"{self.where(trial)} ({why})", "it is left out")

    # Writing

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """See Optuna's ``BaseStorage``."""
        study_id = super().create_new_study(directions, study_name)
        self._note(study_id)
        return study_id

    def _note(self, study_id: int) -> None:
        """Note in the study that its trials have digests from now on."""
        attributes = super().get_study_user_attrs(study_id)
        if NOTE not in attributes:
            n_trials = len(super().get_all_trials(study_id, deepcopy=False))
            plain = [key for key in attributes if key.startswith(_OURS)]
            note = {"from": n_trials, "plain": plain}
            name = self.get_study_name_from_id(study_id)
            super().set_study_user_attr(study_id, NOTE, sealed(name, NOTE, note))

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """See Optuna's ``BaseStorage``; ours are kept with a digest."""
        if key.startswith(_OURS):
            self._note(study_id)
            value = sealed(self.get_study_name_from_id(study_id), key, value)
        super().set_study_user_attr(study_id, key, value)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """See Optuna's ``BaseStorage``."""
        if template_trial is not None and template_trial.state.is_finished():
            template_trial = self._with_digest(study_id, template_trial)
        return super().create_new_trial(study_id, template_trial)

    def _with_digest(self, study_id: int, trial: FrozenTrial) -> FrozenTrial:
        template = _as_read_again(trial)
        name = self.get_study_name_from_id(study_id)
        template.user_attrs[DIGEST] = trial_digest(name, template, numbered=False)
        return template

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """See Optuna's ``BaseStorage``; a trial that ends is given its digest before."""
        if state.is_finished():
            trial = copy.copy(super().get_trial(trial_id))
            if not trial.state.is_finished():
                trial.state = state
                if values is not None:
                    trial.values = [float(value) for value in values]
                name = self.get_study_name_from_id(self.study_holding(trial))
                super().set_trial_user_attr(trial_id, DIGEST, trial_digest(name, trial, numbered=True))
        return super().set_trial_state_values(trial_id, state, values)

    @abstractmethod
    def add_finished(self, study_id: int, trials: Sequence[FrozenTrial]) -> None:
        """Add trials that ended: all of them on disk when it returns, or none."""

    # Reading

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """See Optuna's ``BaseStorage``."""
        trial = super().get_trial(trial_id)
        return without_digest(trial) if DIGEST in trial.user_attrs else trial

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """See Optuna's ``BaseStorage``."""
        shown: list[FrozenTrial] = []
        for trial in self._shown_of(super().get_all_trials(study_id, deepcopy=False), study_id):
            while len(shown) < trial.number:
                missing = lost_trial(len(shown), -1 - len(shown))
                self.lose(missing, "it is missing")
                shown.append(missing)
            shown.append(trial)
        wanted = [trial for trial in shown if states is None or trial.state in states]
        return copy.deepcopy(wanted) if deepcopy else wanted

    def _shown_of(self, stored: Sequence[FrozenTrial], study_id: int) -> Iterator[FrozenTrial]:
        """Yield trials of a study as readers see them, each checked once."""
        since, name = None, self.get_study_name_from_id(study_id)
        for trial in stored:
            known = self._shown.get(trial_id(trial))
            if known is None or known[0] is not trial:
                since = self._since(study_id) if since is None else since
                known = self._shown[trial_id(trial)] = (trial, self._checked(trial, name, since))
            yield known[1]

    def entries(self, study_id: int) -> list[tuple[str | None, FrozenTrial | Any]]:
        """Return the trials of a study, some of them not read yet.

        Returns:
            Each trial as readers see it, or in place of one that stands intact where it is what
            :meth:`reading` takes, after the identity of the fit that it holds.
        """
        return [(None, trial) for trial in self.get_all_trials(study_id, deepcopy=False)]

    def reading(self) -> AbstractContextManager[Callable[[Any], Finished]]:
        """Provide what reads a trial of :meth:`entries`."""
        raise NotImplementedError

    def _since(self, study_id: int) -> int:
        """Return the number of the first trial that must have a digest."""
        note = super().get_study_user_attrs(study_id).get(NOTE)
        if note is None:
            trials = super().get_all_trials(study_id, deepcopy=False)
            if not any(DIGEST in trial.user_attrs for trial in trials):
                return len(trials) + 1
            self.damaged(f"the attribute {NOTE} of the study", "every trial must have a digest")
            return 0
        if not is_sealed(self.get_study_name_from_id(study_id), NOTE, note):
            self.damaged(f"the attribute {NOTE} of the study", "every trial must have a digest")
            return 0
        return int(note["value"]["from"])

    def _checked(self, trial: FrozenTrial, study: str, since: int) -> FrozenTrial:
        """Return a trial of a study as readers see it."""
        if not trial.state.is_finished():
            if trial.datetime_complete is not None:  # which is noted together with the state
                self.lose(trial, f"it ended, and is called {trial.state.name.lower()}")
                return lost_trial(trial.number, trial_id(trial))
            if not is_as_begun(study, trial):
                self.lose(trial, "its parameters are not those that were drawn")
                return lost_trial(trial.number, trial_id(trial))
            return without_digest(trial) if DIGEST in trial.user_attrs else trial
        right = holds(study, trial)
        if right is None and (trial.number < since or trial.user_attrs == {"failure": LOST}):
            return trial  # of an earlier version; or a lost one, which was reported
        if right:
            return without_digest(trial)
        self.lose(trial, "it has no digest" if right is None else "its digest does not fit")
        return lost_trial(trial.number, trial_id(trial))

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """See Optuna's ``BaseStorage``; what is damaged is not shown."""
        return self._opened(super().get_study_user_attrs(study_id), self.get_study_name_from_id(study_id))

    def get_all_studies(self) -> list[FrozenStudy]:
        """See Optuna's ``BaseStorage``; what is damaged is not shown."""
        studies = super().get_all_studies()
        for study in studies:
            study.user_attrs = self._opened(study.user_attrs, study.study_name)
        return studies

    def _opened(self, stored: dict[str, Any], name: str) -> dict[str, Any]:
        plain, note = set(stored), stored.get(NOTE)
        if note is not None:
            plain = set(note["value"]["plain"]) if is_sealed(name, NOTE, note) else set()
        shown = {}
        for key, value in stored.items():
            right = is_sealed(name, key, value)
            if key == NOTE and right:
                continue
            if right:
                shown[key] = value["value"]
            elif right is None and (key in plain or not key.startswith(_OURS)):
                shown[key] = value
            else:
                self.damaged(f"the attribute {key} of study {name}", "it is left out")
        return shown
