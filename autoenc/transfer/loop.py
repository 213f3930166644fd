"""Asking for trials, a few at once, until there are enough; one that a kill cut off is taken up again."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from math import inf

import optuna
from optuna.trial import Trial, TrialState

from autoenc.engines import StopFlag, Stopped
from autoenc.transfer.stages import TrainingFailed

__all__ = ["report_fold", "run_trials"]


def run_trials(
    study: optuna.Study,
    n_trials: int,
    n_jobs: int,
    prepare: Callable[[Trial], Callable[[], float]],
    on_end: Callable[[Trial], None],
    stop: StopFlag,
    timeout_s: float = inf,
) -> None:
    """Run trials until the study has ``n_trials``, those of earlier runs counted.

    Args:
        study: Asked for trials, and told what became of them.
        n_trials: Trials in all, whatever became of them.
        n_jobs: Trials at once, in threads.
        prepare: Takes a trial's parameters and returns what computes its value; called in this thread, so
            that with one job the sequence of trials is always the same.
        on_end: Told of every trial that ended, in this thread.
        stop: Ends the loop; trials in training stay as they are, to be taken up again.
        timeout_s: No trial is begun after so many seconds.
    """
    started = time.monotonic()
    known = study.get_trials(deepcopy=False)
    # Trials that a killed process left; what was drawn for them is read again, the rest is drawn now.
    cut_off = [Trial(study, trial._trial_id) for trial in known if trial.state == TrialState.RUNNING]
    n_begun = len(known)
    pending: dict[Future[float], Trial] = {}
    pool = ThreadPoolExecutor(n_jobs)
    try:
        while not stop.is_set():
            while len(pending) < n_jobs and time.monotonic() - started < timeout_s:
                if not cut_off and n_begun >= n_trials:
                    break
                trial = cut_off.pop(0) if cut_off else _begin(study)
                n_begun = max(n_begun, trial.number + 1)
                pending[pool.submit(prepare(trial))] = trial
            if not pending:
                break
            # The pause bounds how long a signal's flag goes unseen.
            done, _ = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda each: pending[each].number):
                trial = pending.pop(future)
                if not isinstance(future.exception(), Stopped):
                    _tell(study, trial, future)
                    on_end(trial)
    finally:
        if pending:  # left early: nobody waits for what is still in training
            stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(study: optuna.Study) -> Trial:
    return study.ask()


def _tell(study: optuna.Study, trial: Trial, future: Future[float]) -> None:
    error = future.exception()
    if error is None:
        study.tell(trial, future.result())
    elif isinstance(error, optuna.TrialPruned):
        study.tell(trial, state=TrialState.PRUNED)
    elif isinstance(error, TrainingFailed):
        trial.set_user_attr("failure", str(error))
        study.tell(trial, state=TrialState.FAIL)
    else:  # a mistake of ours or of the machine: it must be seen, and the trial stays to be run again
        raise error


def report_fold(trial: Trial, fold: int, value: float, last: int) -> None:
    """Report the value after a fold, and end the trial if the pruner says so.

    Raises:
        optuna.TrialPruned: If it does.
    """
    # A trial that is taken up again has reported its first folds before.
    if fold not in trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values:
        trial.report(value, fold)
    if fold < last and trial.should_prune():
        raise optuna.TrialPruned
