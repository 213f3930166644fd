"""The last round: the best trials of a search are judged again, as the lowest of noisy values is partly luck.

What a repeat came to is kept in the study, so that a search that was killed does not repeat it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from autoenc.engines import StopFlag, Stopped
from autoenc.report.study_tables import ranked_trials
from autoenc.settings import TransferSettings
from autoenc.transfer.smoothing import Smoothing, fold_objectives
from autoenc.transfer.stages import TrainingFailed

__all__ = ["Finalist", "best_trial", "compare", "judge_finalists", "repeat_seed"]

_KEPT = "autoenc_transfer_finalists"  # on the study: how many finalists, and how many repeats


class Finalist(NamedTuple):
    """How one of the best trials did over the folds of the search and of all repeats.

    Attributes:
        number: Of the trial.
        estimate: What decides: the mean, smoothed (see :class:`~autoenc.transfer.smoothing.Smoothing`).
        mean: Of the objective over all folds.
        standard_error: Of that mean.
        above: How much higher the mean is than the winner's; 0 for the winner.
        above_standard_error: Of that difference, from the differences in each fold.
    """

    number: int
    estimate: float
    mean: float
    standard_error: float
    above: float
    above_standard_error: float


def repeat_seed(seed: int, repeat: int) -> int:
    """The seed of a repeat: of its folds, weights, batches and dropout; repeat 0 is the search itself."""
    if not repeat:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/repeat/{repeat}".encode()).digest()[:4], "big")


def judge_finalists(
    study: optuna.Study,
    settings: TransferSettings,
    judge: Callable[[int], Callable[[FrozenTrial], list[float]]],
    stop: StopFlag,
    timeout_s: float = inf,
) -> None:
    """Judge the best trials again, as far as that is not recorded yet.

    Args:
        study: The search, with its trials made; keeps what they come to.
        settings: How many finalists, repeats and threads.
        judge: Given a repeat's number, from 1, what judges a trial in it: the objective of each fold.
        stop: Ends it early; what is not judged yet can be later.
        timeout_s: No judgement is begun after so many seconds.
    """
    study.set_user_attr(_KEPT, [settings.finalists, settings.final_repeats])
    finalists, _ = _finalists(study, settings.finalists)
    if len(finalists) < 2:
        return
    ends = time.monotonic() + timeout_s
    for repeat in range(1, settings.final_repeats + 1):
        known = study.user_attrs
        open_ones = [trial for trial in finalists if _key(trial, repeat) not in known]
        if not open_ones:
            continue
        objectives = judge(repeat)

        def judged(
            trial: FrozenTrial, objectives: Callable[[FrozenTrial], list[float]] = objectives
        ) -> list[float]:
            if stop.is_set() or time.monotonic() >= ends:
                raise Stopped
            return objectives(trial)

        with ThreadPoolExecutor(settings.n_jobs) as pool:
            pending = {pool.submit(judged, trial): trial for trial in open_ones}
            for future in as_completed(pending):
                _record(study, _key(pending[future], repeat), future)


def _key(trial: FrozenTrial, repeat: int) -> str:
    return f"{_KEPT}/{trial.number}/{repeat}"


def _record(study: optuna.Study, key: str, future: Future[list[float]]) -> None:
    error = future.exception()
    if error is None:
        study.set_user_attr(key, future.result())
    elif isinstance(error, TrainingFailed):
        study.set_user_attr(key, str(error))  # a trial that diverges with other seeds is none to keep
    elif not isinstance(error, Stopped):
        raise error


def compare(study: optuna.Study) -> list[Finalist]:
    """The finalists, best first; none while they are not judged to the end.

    Folds of repeated cross-validations share rows, so the variance of a mean over them is taken
    ``1 / folds + test rows / training rows`` times that of a fold (Nadeau and Bengio, "Inference for the
    generalization error", Machine Learning 52, 2003).
    """
    known = study.user_attrs
    n_finalists, n_repeats = known.get(_KEPT, (1, 0))
    trials, smoothing = _finalists(study, n_finalists)
    keys = {trial.number: [_key(trial, repeat) for repeat in range(1, n_repeats + 1)] for trial in trials}
    if len(trials) < 2 or not all(key in known for each in keys.values() for key in each):
        return []
    n_folds = len(trials[0].intermediate_values)
    rows: dict[int, NDArray[np.float64]] = {}
    for trial in trials:
        repeats = [known[key] for key in keys[trial.number]]
        if not any(isinstance(repeat, str) for repeat in repeats):
            rows[trial.number] = np.concatenate([fold_objectives(trial), *repeats])
    estimates = {
        number: smoothing.estimate(number, float(row.mean()), len(row)) for number, row in rows.items()
    }
    order = sorted(rows, key=lambda number: estimates[number])

    def error(values: NDArray[np.float64]) -> float:
        return sqrt((1 / len(values) + 1 / (n_folds - 1)) * float(values.var(ddof=1)))

    found = []
    for number in order:
        row, above = rows[number], rows[number] - rows[order[0]]
        found.append(
            Finalist(
                number, estimates[number], float(row.mean()), error(row), float(above.mean()), error(above)
            )
        )
    return found


def _finalists(study: optuna.Study, n_finalists: int) -> tuple[list[FrozenTrial], Smoothing]:
    """The trials that promise most, and what tells how much a trial promises."""
    trials = ranked_trials(study)
    smoothing = Smoothing.of(trials)
    n_folds = len(trials[0].intermediate_values) if trials else 0

    def promise(trial: FrozenTrial) -> float:
        assert trial.value is not None
        return smoothing.estimate(trial.number, trial.value, n_folds)

    return sorted(trials, key=promise)[:n_finalists], smoothing


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The first of the finalists; while they are not judged to the end, the trial with the lowest value."""
    ranked, finalists = ranked_trials(study), compare(study)
    if not finalists:
        return ranked[0] if ranked else None
    return next(trial for trial in ranked if trial.number == finalists[0].number)
