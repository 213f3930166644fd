"""The last round: the best trials of a search are judged again, as the lowest of noisy values is partly luck.

Sequential halving (Karnin, Koren and Somekh, "Almost optimal exploration in multi-armed bandits", ICML 2013):
in each round all that are left are judged by as many further cross-validations as there were before, and the
better half goes on. Those that are hard to tell apart get most of the work. The results of a repeat are
kept in the study, so that a search that was killed does not repeat it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from math import inf, sqrt
from typing import NamedTuple, Protocol

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from autoenc.analysis.study import ranked_trials
from autoenc.engines import StopFlag
from autoenc.searching.loop import End, Executor, Objective, Watch, run
from autoenc.settings import TransferSettings
from autoenc.two_stage.objective import FoldOutcome, FoldTrial, FoldUnit

__all__ = [
    "Finalist", "kept_trial", "compare", "fold_error", "fold_objectives", "is_decided", "judge_finalists",
    "n_judgements", "n_repeats", "repeat_seed",
]  # fmt: skip

_KEPT = "autoenc_transfer_finalists"  # on the study: how many finalists

Rows = dict[int, NDArray[np.float64]]
"""The objective of each fold of the search and of all repeats so far, by a trial's number."""


class Finalist(NamedTuple):
    """How one of the best trials did over the folds of the search and of its repeats.

    Attributes:
        number: Of the trial.
        n_folds: Folds that it was judged by; the better a trial did, the more.
        mean: Of the objective over these.
        standard_error: Of that mean.
        above: How much higher the mean is than the winner's over the same folds; 0 for the winner.
        above_standard_error: Of that difference, from the differences in each fold.
    """

    number: int
    n_folds: int
    mean: float
    standard_error: float
    above: float
    above_standard_error: float


def repeat_seed(seed: int, repeat: int) -> int:
    """The seed of a repeat: of its folds, weights, batches and dropout; repeat 0 is the search itself."""
    if not repeat:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/repeat/{repeat}".encode()).digest()[:4], "big")


def _rounds(n_finalists: int) -> Iterator[tuple[int, range]]:
    """Yield how many finalists each round begins with, and its repeats."""
    done = 0
    while n_finalists > 1:
        repeats = range(done + 1, 2 * done + 2)
        yield n_finalists, repeats
        done, n_finalists = repeats[-1], -(-n_finalists // 2)


def n_repeats(n_finalists: int) -> int:
    """Repeats of the cross-validation that the last ones are judged by."""
    return max((repeats[-1] for _, repeats in _rounds(n_finalists)), default=0)


def n_judgements(n_finalists: int) -> int:
    """Repeated cross-validations of all finalists together."""
    return sum(count * len(repeats) for count, repeats in _rounds(n_finalists))


class _Standing(NamedTuple):
    """How far the last round is, by the study alone.

    Attributes:
        rows: Of all finalists that have not diverged.
        order: Their numbers, best first: those that went further, and among them those of lower mean.
        missing: Trials that the present round still has to judge, each with the repeat; empty at the end.
    """

    rows: Rows
    order: list[int]
    missing: list[tuple[FrozenTrial, int]]


def _standing(study: optuna.Study) -> _Standing:
    known = study.user_attrs
    left = ranked_trials(study)[: known.get(_KEPT, 1)]
    rows: Rows = {trial.number: fold_objectives(trial) for trial in left}
    out: list[int] = []
    for _, repeats in _rounds(len(left)):
        if len(left) < 2:
            break  # the others diverged
        asked = [(trial, repeat) for repeat in repeats for trial in left]
        missing = [(trial, repeat) for trial, repeat in asked if _key(trial, repeat) not in known]
        if missing:
            return _Standing(rows, [trial.number for trial in left] + out, missing)
        for trial, repeat in asked:
            judged = known[_key(trial, repeat)]
            if isinstance(judged, str):  # a trial that diverges with other seeds is none to keep
                rows.pop(trial.number, None)
            elif trial.number in rows:
                rows[trial.number] = np.concatenate([rows[trial.number], judged])
        sound = sorted(
            (trial for trial in left if trial.number in rows),
            key=lambda trial: float(rows[trial.number].mean()),
        )
        n_kept = -(-len(left) // 2)
        left, out = sound[:n_kept], [trial.number for trial in sound[n_kept:]] + out
    return _Standing(rows, [trial.number for trial in left] + out, [])


def fold_objectives(trial: FrozenTrial) -> NDArray[np.float64]:
    """Return the objective of each fold of the search, out of the means over the folds so far."""
    means = np.array([value for _, value in sorted(trial.intermediate_values.items())])
    return np.diff(means * np.arange(1, len(means) + 1), prepend=0.0)


def judge_finalists(
    study: optuna.Study,
    settings: TransferSettings,
    objective: Repeats,
    executor: Executor[FoldUnit, FoldOutcome],
    stop: StopFlag,
    deadline_s: float = inf,
) -> None:
    """Judge the best trials again, as far as that is not recorded yet.

    Args:
        study: The search, with its trials made; keeps what they come to.
        settings: How many finalists, and how many are judged at once.
        objective: What trials are worth in the repeats.
        executor: Where their folds are fitted.
        stop: Ends it early; what is not judged yet can be later.
        deadline_s: When no judgement begins any more, on :func:`time.monotonic`.
    """
    if study.user_attrs.get(_KEPT) != settings.finalists:
        study.set_user_attr(_KEPT, settings.finalists)
    trials = _Finalists(study, objective, deadline_s, settings.seeds)
    run(trials, objective, executor, stop, settings.n_jobs)


class Repeats(Objective[FoldUnit, FoldOutcome], Protocol):
    """What trials are worth in a repeat of the cross-validation."""

    def units_of(self, trial: FrozenTrial, repeat: int) -> Sequence[FoldUnit]:
        """Return the folds of a repeat, for a trial of the search."""
        ...


class _Finalists:
    """The judgements of the present round, and after it those of the next."""

    def __init__(self, study: optuna.Study, objective: Repeats, deadline_s: float, n_seeds: int) -> None:
        self._study, self._objective, self._deadline_s = study, objective, deadline_s
        self._n_seeds = n_seeds
        self._round: list[tuple[FrozenTrial, int]] = []

    def begin(self, n_running: int) -> FoldTrial | None:
        """See :class:`~autoenc.searching.loop.Trials`."""
        if time.monotonic() >= self._deadline_s:
            return None
        if not self._round and not n_running:
            self._round = list(_standing(self._study).missing)
        if not self._round:
            return None
        trial, repeat = self._round.pop(0)
        units = self._objective.units_of(trial, repeat)
        return FoldTrial(units, _key(trial, repeat), trial.number)

    def add(self, trial: FoldTrial, unit: FoldUnit, outcome: FoldOutcome) -> None:
        """Nothing: a repeat is recorded as a whole."""

    def watch(self, trial: FoldTrial, unit: FoldUnit) -> Watch | None:
        """None: no finalist is ended early."""
        return None

    def end(self, trial: FoldTrial, end: End) -> None:
        """Keep the objective of each fold, the mean over its seeds, or why there is none."""
        if end.failure is None:
            by_fold = np.reshape([outcome.value for outcome in trial.first_outcomes()], (-1, self._n_seeds))
            self._study.set_user_attr(trial.handle, by_fold.mean(axis=1).tolist())
        else:
            self._study.set_user_attr(trial.handle, end.failure)


def _key(trial: FrozenTrial, repeat: int) -> str:
    return f"{_KEPT}/{trial.number}/{repeat}"


def compare(study: optuna.Study) -> list[Finalist]:
    """Return the finalists, best first; none while they are not judged to the end."""
    rows, order, missing = _standing(study)
    if missing or len(order) < 2:
        return []
    n_folds = len(study.get_trials(deepcopy=False)[order[0]].intermediate_values)
    finalists = []
    for number in order:
        row = rows[number]
        above = row - rows[order[0]][: len(row)]
        finalists.append(
            Finalist(
                number, len(row), float(row.mean()), _error(row, n_folds), float(above.mean()),
                _error(above, n_folds),
            )
        )  # fmt: skip
    return finalists


def _error(values: NDArray[np.float64], n_folds: int) -> float:
    """Return the standard error of a mean over the folds of cross-validations of ``n_folds`` each.

    Folds share rows, so the variance of a mean over them is taken ``1 / folds + test rows / training rows``
    times that of a fold (Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52,
    2003).
    """
    return sqrt((1 / len(values) + 1 / (n_folds - 1)) * float(values.var(ddof=1)))


def fold_error(trial: FrozenTrial) -> float | None:
    """Return the standard error of a complete trial's value over the folds of the search; None for others."""
    values = fold_objectives(trial)
    is_judged = trial.state == TrialState.COMPLETE and len(values) > 1
    return _error(values, len(values)) if is_judged else None


def is_decided(study: optuna.Study) -> bool:
    """Return whether the finalists are judged to the end."""
    return not _standing(study).missing


def kept_trial(study: optuna.Study) -> FrozenTrial | None:
    """The first of the finalists; while they are not judged to the end, the trial with the lowest value."""
    ranked, standing = ranked_trials(study), _standing(study)
    if standing.missing or not standing.order:
        return ranked[0] if ranked else None
    return next(trial for trial in ranked if trial.number == standing.order[0])
