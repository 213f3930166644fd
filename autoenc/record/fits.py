"""The record of fits: a trial of an Optuna study for each finished one.

A study holds the fits of one :class:`~autoenc.record.identity.Context`; a journal or database holds any
number of studies. Each finished fit is one append of a whole trial, on disk before the next is taken.
Optuna's own tools read it: ``optuna.load_study``, the dashboard.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.errors import InputError
from autoenc.models.grid import format_architecture
from autoenc.record.checked import Checked, Finished
from autoenc.record.identity import Context
from autoenc.record.lines import Place
from autoenc.record.outcomes import Outcomes
from autoenc.record.private import id_of, storage_of
from autoenc.record.record import CONTEXT, Record, begun_study
from autoenc.system.text import warn

__all__ = ["FitRecord", "records_in", "searches_in"]

_DEPTH = IntDistribution(1, 1024)
_WIDTH = IntDistribution(1, 65536, log=True)
_SEARCH = "autoenc_search"
_LATER = ("start_loss", "explained")
"""Numbers of an outcome that fits recorded by earlier versions lack."""


class FitRecord(Record):
    """The fits of one context, as they were recorded, and a way to record more.

    Args:
        study: The Optuna study behind it.
        context: What its fits share.

    Attributes:
        on_add: Called with each fit that was recorded.
    """

    def __init__(self, study: optuna.Study, context: Context) -> None:
        super().__init__(study)
        self.context = context
        self.on_add: Callable[[Fit, Outcome], object] | None = None

    @classmethod
    def of(cls, storage: BaseStorage, context: Context) -> FitRecord:
        """Open the record of this context, beginning it where there is none; the context names it."""
        record = cls(begun_study(storage, context.name), context)
        record.note(CONTEXT, context.as_dict())
        return record

    @property
    def search(self) -> dict[str, Any]:
        """What the last search noted about itself: options, sizes, environment; plain values."""
        return dict(self.study.user_attrs.get(_SEARCH, {}))

    @property
    def noted(self) -> dict[str, Any]:
        """See :attr:`search`."""
        return self.search

    @property
    def latent_dim(self) -> int:
        """Latent size of all fits."""
        return self.context.latent_dim

    def note_search(self, search: dict[str, Any]) -> None:
        """Note what a search should be reported with."""
        self.note(_SEARCH, search)
        self.note_use()

    def add(self, fit: Fit, outcome: Outcome, engine: str) -> None:
        """Record a finished fit; see :meth:`add_all`."""
        self.add_all([(fit, outcome)], engine)

    def add_all(self, ended: Sequence[tuple[Fit, Outcome]], engine: str) -> None:
        """Record finished fits: one append, on disk when this returns."""
        trials = [_as_trial(self.context, fit, outcome, engine) for fit, outcome in ended]
        storage = storage_of(self.study)
        if isinstance(storage, Checked):
            storage.add_finished(id_of(self.study), trials)
        else:
            self.study.add_trials(trials)
        if self.on_add is not None:
            for fit, outcome in ended:
                self.on_add(fit, outcome)

    def fit_of(self, number: int) -> Fit:
        """Return the fit that an Optuna trial of the record holds.

        Raises:
            InputError: If it holds none.
        """
        recorded = self._fit(self.study.get_trials(deepcopy=False)[number])
        if recorded is None:
            raise InputError(f"trial {number} of {self.study.study_name} holds no fit")
        return recorded[0]

    def holds(self, trial: FrozenTrial) -> bool:
        """Return whether a trial is a whole fit of this record, or somebody else's."""
        return "identity" not in trial.user_attrs or self._fit(trial) is not None

    def _fit(self, trial: FrozenTrial) -> tuple[Fit, Outcome] | None:
        """Return what a trial holds; None if it is somebody else's, or damaged, which is reported."""
        if "identity" not in trial.user_attrs:
            return None  # e.g. one enqueued from the dashboard
        held = self._checked(trial)
        if not isinstance(held, str):
            return held
        storage = storage_of(self.study)
        if isinstance(storage, Checked):
            storage.lose(trial, held)
        return None

    def _checked(self, trial: FrozenTrial | Finished) -> tuple[Fit, Outcome] | str:
        """Return the fit that a trial holds; if it holds none that can be, why."""
        try:
            fit, outcome = _from_trial(self.context, trial)
            return _contradiction(self.context, trial, fit, outcome) or (fit, outcome)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return "it cannot be read"

    def outcomes(self) -> Outcomes:
        """Return every recorded fit's outcome; a success is final, else the last attempt counts.

        A fit whose record contradicts itself is reported and left out.
        """
        storage, places = storage_of(self.study), dict[str, list[Any]]()
        if isinstance(storage, Checked):
            entries = storage.entries(id_of(self.study))
        else:
            entries = [(None, trial) for trial in self.study.get_trials(deepcopy=False)]
        for identity, entry in entries:
            if isinstance(entry, FrozenTrial):
                held = self._fit(entry)
                if held is not None:
                    places.setdefault(entry.user_attrs["identity"], []).append(held)
            elif identity is not None:
                places.setdefault(identity, []).append(entry)
        return Outcomes(places, self.context.identity, self._read)

    def _read(self, entries: Iterable[Any]) -> Iterator[tuple[Fit, Outcome]]:
        """Yield the fits of entries: either what a trial held, or its place in the storage."""
        storage = storage_of(self.study)
        with ExitStack() as stack:
            read: Callable[[Any], Finished] | None = None
            for entry in entries:
                if not isinstance(entry, Place):
                    yield entry
                    continue
                assert isinstance(storage, Checked)
                read = read or stack.enter_context(storage.reading())
                held = self._checked(read(entry))
                if isinstance(held, str):
                    storage.damaged(f"line {entry.line} ({held})", "it is left out")
                else:
                    yield held

    def merge(self, parts: Sequence[FitRecord], wanted: Iterable[Fit]) -> int:
        """Add fits of other records of the same search; doing it again changes nothing.

        A success replaces a failure, also one that is recorded here. Of two successes the first
        one stands; a difference is reported.

        Args:
            parts: The other records.
            wanted: The fits to add, in this order, as far as the parts hold them.

        Returns:
            How many fits stand in more than one of the parts.

        Raises:
            InputError: If a part is the record of another search.
        """
        for part in parts:
            if part.context != self.context:
                raise InputError(f"{part.study.study_name} is no part of the search {self.context.name}")
        outcomes, n_twice, engines = _collect(parts)
        known = self.outcomes()
        for fit in wanted:
            if fit in outcomes and (fit not in known or (known[fit].failure and not outcomes[fit].failure)):
                self.add(fit, outcomes[fit], engines[fit])
        return n_twice


def _collect(parts: Sequence[FitRecord]) -> tuple[dict[Fit, Outcome], int, dict[Fit, str]]:
    """Return every fit of the parts once, how many stand in more than one, and which engine trained each."""
    outcomes: dict[Fit, Outcome] = {}
    engines: dict[Fit, str] = {}
    twice: set[Fit] = set()
    for part in parts:
        for fit, outcome in part.outcomes().items():
            earlier = outcomes.get(fit)
            if earlier is not None and earlier.failure is None and outcome.failure is None:
                twice.add(fit)
                if earlier.test_losses != outcome.test_losses and engines[fit] == part.search["engine"]:
                    warn(
                        f"warning: {format_architecture(fit.architecture)} stands in two records with other "
                        f"losses, {earlier.final_test_loss!r} and {outcome.final_test_loss!r}; "
                        "the first is kept",
                    )
            elif earlier is None or earlier.failure is not None:
                outcomes[fit], engines[fit] = outcome, part.search["engine"]
    return outcomes, len(twice), engines


def _as_trial(context: Context, fit: Fit, outcome: Outcome, engine: str) -> FrozenTrial:
    params: dict[str, int] = {"n_layers": len(fit.architecture)}
    distributions: dict[str, BaseDistribution] = {"n_layers": _DEPTH}
    for i, width in enumerate(fit.architecture, 1):
        params[f"width_{i}"], distributions[f"width_{i}"] = width, _WIDTH
    failed = outcome.failure is not None
    now = datetime.now(UTC)
    recorded = now.astimezone().replace(tzinfo=None)
    return FrozenTrial(
        number=-1,
        trial_id=-1,
        datetime_start=recorded,
        datetime_complete=recorded,
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
            **{name: value for name in _LATER if (value := getattr(outcome, name)) is not None},
            "train_losses": [] if failed else outcome.train_losses,
            "final_train_loss": None if failed else outcome.final_train_loss,
            "failure": outcome.failure,
            "recorded": now.isoformat(),
        },
        system_attrs={},
    )


def _from_trial(context: Context, trial: FrozenTrial | Finished) -> tuple[Fit, Outcome]:
    attrs = trial.user_attrs
    recipe = _recipe_of(json.dumps(attrs["recipe"]))
    fit = Fit(tuple(attrs["architecture"]), context.latent_dim, recipe, attrs["seed"], attrs["fold"])
    final = attrs["final_train_loss"]
    losses = [trial.intermediate_values[epoch] for epoch in sorted(trial.intermediate_values)]
    train = float("nan") if final is None else final
    return fit, Outcome(
        attrs["train_losses"], losses, train, attrs["seconds"], {}, attrs["kept_epoch"], attrs["failure"],
        **{name: _number(attrs[name]) for name in _LATER if name in attrs},
    )  # fmt: skip


@lru_cache(1024)
def _recipe_of(text: str) -> Recipe:
    """Return the recipe of a fit; one for all that have the same."""
    return Recipe(**json.loads(text))


def _number(value: object) -> float:
    if not isinstance(value, float):
        raise TypeError(f"it must be a number, got {value!r}")
    return value


def _contradiction(context: Context, trial: FrozenTrial | Finished, fit: Fit, outcome: Outcome) -> str | None:
    """Return what of a recorded fit does not follow from the rest of it; None if all does."""
    if trial.user_attrs["identity"] != context.identity(fit):
        return "its identity is not that of what it trained"
    if (outcome.failure is not None) != (trial.state == TrialState.FAIL):
        return "its state is not that of its outcome"
    if outcome.failure is None and trial.value != outcome.final_test_loss:
        return "its loss is not that of its curve"
    return None


def searches_in(storage: BaseStorage) -> list[FitRecord]:
    """Return the exhaustive searches of a storage, the last used one last; raises as :func:`records_in`."""
    records = [record for record in records_in(storage) if record.search]
    return sorted(records, key=lambda record: record.last_used)


def records_in(storage: BaseStorage) -> Iterator[FitRecord]:
    """Yield every record of a storage, in the order in which they were begun.

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
            yield FitRecord(study, context)
