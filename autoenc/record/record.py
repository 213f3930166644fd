"""The durable record of a search: an Optuna study with a trial per finished fit.

A study holds the fits of one :class:`~autoenc.record.identity.Context`; a journal or database holds any
number of studies. Each finished fit is one append of a whole trial, on disk before the next is taken.
Optuna's own tools read it: ``optuna.load_study``, the dashboard.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoenc.engines.contract import Fit, Outcome, Recipe
from autoenc.errors import InputError
from autoenc.record.checked import Checked
from autoenc.record.identity import Context
from autoenc.record.private import storage_of
from autoenc.system.surroundings import quiet_optuna

__all__ = ["CONTEXT", "TUNE", "Record", "keep_study_aside", "note_use", "order_of_use", "records_in"]

_DEPTH = IntDistribution(1, 1024)
_WIDTH = IntDistribution(1, 65536, log=True)
CONTEXT = "autoenc_context"
"""The attribute by which the study of an exhaustive search is known."""
_SEARCH = "autoenc_search"
_USED, _TURN = "autoenc_last_used", "autoenc_turn"
TUNE = "autoenc_tune"
"""The attribute by which the study of an adaptive search is known."""


def note_use(study: optuna.Study) -> None:
    """Note in a study that it is the one that was used last of its storage."""
    turns = [each.user_attrs.get(_TURN, 0) for each in storage_of(study).get_all_studies()]
    study.set_user_attr(_TURN, 1 + max(turns))
    study.set_user_attr(_USED, datetime.now(UTC).isoformat())


def order_of_use(study: optuna.Study) -> tuple[int, str]:
    """What studies of a storage sort by, the last used one last.

    It is counted in the record, as a clock may have been set back; of those that an earlier version has used
    there is only the time.
    """
    return int(study.user_attrs.get(_TURN, 0)), str(study.user_attrs.get(_USED, ""))


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
    optuna.copy_study(from_study_name=name, from_storage=storage, to_storage=storage, to_study_name=kept)
    # The copy is no record any more: a search must not find two of the same kind.
    study = optuna.load_study(study_name=kept, storage=storage)
    for key in (CONTEXT, TUNE):
        if key in study.user_attrs:
            study.set_user_attr(f"{key}_kept", study.user_attrs[key])
            study.set_user_attr(key, None)
    optuna.delete_study(study_name=name, storage=storage)
    return kept


class Record:
    """The fits of one context, as they were recorded, and a way to record more.

    Args:
        study: The Optuna study behind it.
        context: What its fits share.
    """

    def __init__(self, study: optuna.Study, context: Context) -> None:
        self.study = study
        self.context = context

    @classmethod
    @quiet_optuna()
    def open(cls, storage: BaseStorage, context: Context) -> Record:
        """Open the record of this context, beginning it where there is none."""
        study = optuna.create_study(study_name=context.name, storage=storage, load_if_exists=True)
        if study.user_attrs.get(CONTEXT) != context.as_dict():
            study.set_user_attr(CONTEXT, context.as_dict())
        return cls(study, context)

    @property
    def search(self) -> dict[str, Any]:
        """What the last search noted about itself: options, sizes, environment; plain values."""
        return dict(self.study.user_attrs.get(_SEARCH, {}))

    @property
    def last_used(self) -> tuple[int, str]:
        """When a search last noted itself; see :func:`order_of_use`."""
        return order_of_use(self.study)

    def note_search(self, search: dict[str, Any]) -> None:
        """Note what a search should be reported with."""
        if self.search != search:
            self.study.set_user_attr(_SEARCH, search)
        note_use(self.study)

    def add(self, fit: Fit, outcome: Outcome, engine: str) -> None:
        """Record a finished fit: one append, on disk when this returns."""
        self.study.add_trial(_as_trial(self.context, fit, outcome, engine))

    def fit_of(self, number: int) -> Fit:
        """The fit that an Optuna trial of the record holds.

        Raises:
            InputError: If it holds none.
        """
        found = self._fit(self.study.get_trials(deepcopy=False)[number])
        if found is None:
            raise InputError(f"trial {number} of {self.study.study_name} holds no fit")
        return found[0]

    def holds(self, trial: FrozenTrial) -> bool:
        """Whether a trial is a whole fit of this record, or somebody else's."""
        return "identity" not in trial.user_attrs or self._fit(trial) is not None

    def _fit(self, trial: FrozenTrial) -> tuple[Fit, Outcome] | None:
        """What a trial holds; None if it is somebody else's, or damaged, which is told."""
        if "identity" not in trial.user_attrs:
            return None  # e.g. one enqueued from the dashboard
        try:
            fit, outcome = _from_trial(self.context, trial)
            why = _contradiction(self.context, trial, fit, outcome)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            why = "it cannot be read"
        if why is None:
            return fit, outcome
        storage = storage_of(self.study)
        if isinstance(storage, Checked):
            storage.lose(trial, why)
        return None

    def outcomes(self) -> dict[Fit, Outcome]:
        """Every recorded fit's outcome; a success stands for good, else the last attempt counts.

        A fit whose record contradicts itself is told and left out.
        """
        found: dict[Fit, Outcome] = {}
        for trial in self.study.get_trials(deepcopy=False):
            held = self._fit(trial)
            if held is None:
                continue
            fit, outcome = held
            known = found.get(fit)
            if known is None or known.failure is not None:
                found[fit] = outcome
        return found


def _as_trial(context: Context, fit: Fit, outcome: Outcome, engine: str) -> FrozenTrial:
    params: dict[str, int] = {"n_layers": len(fit.architecture)}
    distributions: dict[str, BaseDistribution] = {"n_layers": _DEPTH}
    for i, width in enumerate(fit.architecture, 1):
        params[f"width_{i}"], distributions[f"width_{i}"] = width, _WIDTH
    failed = outcome.failure is not None
    return create_trial(
        state=TrialState.FAIL if failed else TrialState.COMPLETE,
        value=None if failed else outcome.final_test_loss,
        params=params,
        distributions=distributions,
        intermediate_values={} if failed else dict(enumerate(outcome.test_losses)),
        user_attrs={
            "identity": context.identity(fit),
            "architecture": list(fit.architecture),
            "recipe": fit.recipe.as_dict(),
            "seed": fit.seed,
            "fold": fit.fold,
            "engine": engine,
            "seconds": outcome.seconds,
            "kept_epoch": outcome.kept_epoch,
            "train_losses": [] if failed else outcome.train_losses,
            "final_train_loss": None if failed else outcome.final_train_loss,
            "failure": outcome.failure,
            "recorded": datetime.now(UTC).isoformat(),
        },
    )


def _from_trial(context: Context, trial: FrozenTrial) -> tuple[Fit, Outcome]:
    attrs = trial.user_attrs
    recipe = Recipe(**attrs["recipe"])
    fit = Fit(tuple(attrs["architecture"]), context.latent_dim, recipe, attrs["seed"], attrs["fold"])
    final = attrs["final_train_loss"]
    losses = [trial.intermediate_values[epoch] for epoch in sorted(trial.intermediate_values)]
    train = float("nan") if final is None else final
    return fit, Outcome(
        attrs["train_losses"], losses, train, attrs["seconds"], {}, attrs["kept_epoch"], attrs["failure"]
    )


def _contradiction(context: Context, trial: FrozenTrial, fit: Fit, outcome: Outcome) -> str | None:
    """What of a recorded fit does not follow from the rest of it; None if all does."""
    if trial.user_attrs["identity"] != context.identity(fit):
        return "its identity is not that of what it trained"
    if (outcome.failure is not None) != (trial.state == TrialState.FAIL):
        return "its state is not that of its outcome"
    if outcome.failure is None and trial.value != outcome.final_test_loss:
        return "its loss is not that of its curve"
    return None


def records_in(storage: BaseStorage) -> Iterator[Record]:
    """Every record of a storage, in the order in which they were begun.

    Raises:
        InputError: If one is of another format.
    """
    for frozen in storage.get_all_studies():
        if frozen.user_attrs.get(CONTEXT):
            study = optuna.load_study(study_name=frozen.study_name, storage=storage)
            try:
                context = Context.from_dict(frozen.user_attrs[CONTEXT])
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"study {frozen.study_name}: cannot be read: {error}") from None
            yield Record(study, context)
