"""Adaptive search of the hyperparameters of any torch module."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from math import inf, isclose
from pathlib import Path
from typing import Any, get_args

import optuna
import torch
from optuna.distributions import distribution_to_json
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, GridSampler
from optuna.trial import FrozenTrial, TrialState
from torch import nn

from autoenc.analysis.study import count_finished
from autoenc.engines import StopFlag
from autoenc.engines.torch_state import single_precision, training_state
from autoenc.errors import InputError
from autoenc.searching.connect import connect
from autoenc.searching.executors import Here
from autoenc.searching.loop import run
from autoenc.settings.training import parse_address
from autoenc.settings.tune import StrategyName
from autoenc.system.surroundings import quiet_optuna
from autoenc.tuning.code import code_hash
from autoenc.tuning.module_study import began_module_study, found_module_study, opened, stable_text
from autoenc.tuning.module_trials import LOSSES, ModuleObjective, ModuleTrials
from autoenc.tuning.modules import ModuleSpace
from autoenc.tuning.pairs import Pairs, read_pairs
from autoenc.tuning.remote import remote_modules
from autoenc.tuning.resilient import ResilientOptions, ResilientSampler
from autoenc.tuning.sampling import PerTrialSampler, standard_sampler
from autoenc.tuning.space import HyperparameterSearchSpace, n_points
from autoenc.tuning.training import Loss, TrainedModule, train_module

__all__ = ["HyperparameterOptimizer", "SearchResult"]


class HyperparameterOptimizer:
    """Searches the hyperparameters of a class of torch modules.

    What the constructor names (``hidden_size``, ``hidden_dims``, ``num_layers``, ``dropout``, ...) is taken
    from the space and passed to it; ``learning_rate``, ``weight_decay``, ``batch_size`` and ``num_epochs`` go
    to the training: AdamW, a cosine schedule per epoch, mini-batches. A trial's value is the loss of all
    validation rows after its last epoch, the mean over folds and seeds where there are several. On one
    machine's CPU it follows from the trial's parameters, the seed and the data alone.

    Args:
        model_class: A class of torch modules, or a function that makes one.
        search_space: A :class:`HyperparameterSearchSpace`, of which the constructor takes what it names; or
            for each option a range as a tuple ``(low, high)``, a list of choices of any kind, or an Optuna
            distribution. Ranges of ``learning_rate``, ``weight_decay`` and ``hidden_size`` are on a log
            scale.
        loss: ``loss(output, target)`` gives one number; of a model that returns a tuple it gets the first
            element. By default the mean squared error.
        strategy: ``grid``, ``random``, ``tpe``, ``cmaes``, ``gp``, ``nsgaii`` or ``resilient``. A grid has
            all choices, and both ends and the middle of each range.
        seed: Of the search and of every training.
        folds: Folds of the training rows that judge trials, each row once; 0 for one division, into what
            ``optimize`` is given as training and validation rows.
        seeds: Seeds that each trial is trained by; with several its value is the mean.
        device: Any torch device.
        threads: CPU threads of a training; for small models one is the fastest by far.
        model_options: Arguments of the constructor that stay the same.
        storage: An Optuna storage URL, or the path of a journal file, with which a search goes on where an
            earlier one stopped, also a killed one. Without it the search is in memory.
        pruner: Any Optuna pruner; it is asked after each epoch. By default no trial is ended early.
        study_name: Of the study in its storage; by default after class and strategy.
        resilient: Numbers of the resilient strategy.
        scheduler: Address of a Dask scheduler, e.g. ``tcp://host:8786``, on whose workers trials are trained,
            as many at once as there are threads; each process trains one at a time. By default trials are
            trained here, one after the other.

    Raises:
        InputError: A ``ValueError``, with everything that is wrong: an option that neither constructor nor
            training takes, a required argument of the constructor that is not given, ...

    Example:
        >>> data = torch.linspace(-1, 1, 64).reshape(-1, 1)
        >>> space = {"out_features": [1], "learning_rate": (1e-3, 1e-1), "num_epochs": [2]}
        >>> optimizer = HyperparameterOptimizer(nn.Linear, space, model_options={"in_features": 1})
        >>> result = optimizer.optimize(data[::2], data[1::2], n_trials=3)
        >>> result.n_trials, sorted(result.best_params)
        (3, ['learning_rate', 'num_epochs', 'out_features'])
    """

    def __init__(
        self,
        model_class: Callable[..., nn.Module],
        search_space: HyperparameterSearchSpace | Mapping[str, Any],
        *,
        loss: Loss = nn.functional.mse_loss,
        strategy: StrategyName = "tpe",
        seed: int = 42,
        folds: int = 0,
        seeds: int = 1,
        device: str | torch.device = "cpu",
        threads: int = 1,
        model_options: Mapping[str, Any] | None = None,
        storage: str | Path | None = None,
        pruner: BasePruner | None = None,
        study_name: str | None = None,
        resilient: ResilientOptions | None = None,
        scheduler: str | None = None,
    ) -> None:
        problems = []
        seed, threads = operator.index(seed), operator.index(threads)  # NumPy's numbers, too
        folds, seeds = operator.index(folds), operator.index(seeds)
        if strategy not in get_args(StrategyName):
            problems.append(f"strategy must be one of {', '.join(get_args(StrategyName))}, got {strategy!r}")
        if not 0 <= seed < 2**32:
            problems.append(f"seed must be at least 0 and below 2**32, got {seed}")
        if folds < 0 or folds == 1:
            problems.append(f"folds must be 0 or at least 2, got {folds}")
        if seeds < 1 or seed + seeds > 2**32:
            problems.append(f"seeds must be at least 1, and seed and seeds together below 2**32, got {seeds}")
        if threads < 1:
            problems.append(f"threads must be at least 1, got {threads}")
        if scheduler is not None:
            try:
                parse_address(scheduler)
            except ValueError as error:
                problems.append(f"scheduler {error}")
        try:
            self._device = torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:  # the latter from a torch built without the device
            problems.append(f"device {str(device)!r} cannot be used: {str(error).splitlines()[0]}")
        try:
            self.space = ModuleSpace(model_class, search_space, model_options or {})
        except InputError as error:
            problems += error.problems
        if not problems and strategy == "grid":
            with _in_words_of_python():
                self.space.grid()
        if problems:
            raise InputError(problems)
        self.model_class, self.loss, self.strategy, self.seed = model_class, loss, strategy, seed
        self.folds, self.seeds = folds, seeds
        self._threads, self._scheduler = threads, scheduler
        is_url = isinstance(storage, str) and "://" in storage
        self._storage = storage if storage is None or is_url else Path(storage)
        self._pruner = pruner or NopPruner()
        self._resilient = resilient or ResilientOptions()
        self._study_name = study_name or f"{stable_text(model_class)}-{strategy}"
        self._study: optuna.Study | None = None
        self._about = {
            "model_class": stable_text(model_class),
            "search_space": {
                name: distribution_to_json(value) for name, value in self.space.distributions.items()
            },
            "num_epochs": self.space.fixed.get("num_epochs"),
            "model_options": {name: stable_text(value) for name, value in (model_options or {}).items()},
            "loss": stable_text(loss), "strategy": strategy, "seed": seed, "threads": threads,
            "folds": folds, "seeds": seeds,
            "pruner": type(self._pruner).__name__,
            "resilient": stable_text(self._resilient) if strategy == "resilient" else None,
            "code": self._code(model_options or {}),
        }  # fmt: skip

    def _code(self, model_options: Mapping[str, Any]) -> dict[str, str]:
        """Return hashes of the code that trials depend on, by what is made of it, without torch's own."""
        used = {"model_class": self.model_class, "loss": self.loss, **self.space.objects(), **model_options}
        hashes = {name: code_hash(value) for name, value in used.items()}
        return {name: digest for name, digest in hashes.items() if digest is not None}

    @single_precision()
    @training_state()
    @quiet_optuna()
    def optimize(
        self,
        train_data: Any,
        val_data: Any = None,
        n_trials: int = 20,
        on_trial: Callable[[FrozenTrial], None] = lambda trial: None,
        fresh: bool = False,
    ) -> SearchResult:
        """Search.

        A trial that fails, because its model cannot be made or its loss stops being finite, is recorded as
        failed with the reason, and the search goes on.

        Args:
            train_data: A torch Dataset or DataLoader of ``(input, target)`` pairs or of single tensors,
                which are their own target; or a tensor, array or pandas frame; or a tuple of two. It is read
                once, as a whole. A missing cell (NaN, or a masked one) of an input enters the network as 0.
            val_data: The same of other rows, which judge the trials; not with ``folds``.
            n_trials: Trials in all, those of an earlier run in the same storage counted.
            on_trial: Called with each trial that ended.
            fresh: Start over; an earlier search in the storage is kept under another name.

        Raises:
            InputError: If the data cannot be used, or the storage holds another search of this name.
        """
        if n_trials < 1:
            raise InputError(f"n_trials must be at least 1, got {n_trials}")
        train, val = self._judged(train_data, val_data)
        data = {"train_data": train.fingerprint, "val_data": None if val is None else val.fingerprint}
        with opened(self._storage) as (storage, alone):
            sampler = PerTrialSampler(self._sampler_for, self.seed)
            record = began_module_study(
                storage, self._study_name, {**self._about, **data}, sampler, self._pruner, alone, fresh
            )
            self._study = study = record.study
            if self.strategy == "grid":
                n_trials = min(n_trials, n_points(self.space.grid()))
            trials = ModuleTrials(record, n_trials, self.space, on_trial, self.folds, self.seeds)
            self._run(trials, train, val)
        return SearchResult(study, self, train, val)

    def _judged(self, train_data: Any, val_data: Any) -> tuple[Pairs, Pairs | None]:
        """Return training and validation rows; None instead of these where folds judge."""
        if not self.folds:
            if val_data is None:
                raise InputError("val_data must be given, or folds to judge by training rows")
            return self._read(train_data, val_data)
        if val_data is not None:
            raise InputError(f"folds {self.folds} judge by training rows; leave out val_data or folds")
        train = read_pairs(train_data, "train_data", self.seed)
        if len(train.inputs) < self.folds:
            raise InputError(f"folds must be at most the {len(train.inputs)} rows, got {self.folds}")
        return train, None

    def _train_unit(
        self,
        params: Mapping[str, Any],
        train: Pairs,
        val: Pairs | None,
        fold: int | None,
        n_seed: int,
        watch: Callable[[int, float], None],
    ) -> TrainedModule:
        """Train once for a trial: on all folds but one, or on all training rows."""
        if fold is not None:
            train, val = train.without_fold(fold, self.folds, self.seed)
        assert val is not None
        return self.train(params, train, val, watch, n_seed=n_seed)

    def _run(self, trials: ModuleTrials, train: Pairs, val: Pairs | None) -> None:
        """Run trials here, or on the cluster."""
        objective, stop = ModuleObjective(partial(self._train_unit, train=train, val=val)), StopFlag()
        if self._scheduler is None:
            run(trials, objective, Here(objective, stop), stop, n_parallel=1)
            return
        alone = copy(self)  # a study and its storage stay here
        alone._study = alone._storage = None
        remote = remote_modules(partial(alone._train_unit, train=train, val=val))
        with _in_words_of_python(), closing(connect(self._scheduler, remote)) as cluster:
            run(trials, objective, cluster, stop, n_parallel=cluster.slots())

    @single_precision()
    @training_state()
    def train_best(self, train_data: Any, val_data: Any, num_epochs: int | None = None) -> TrainedModule:
        """Train the best configuration of the last search, or of the one in the storage.

        Args:
            train_data: As for :meth:`optimize`; it need not be the same.
            val_data: Rows that measure it.
            num_epochs: Passes over the training rows; by default as in the search.

        Raises:
            InputError: If there is no search yet, or no trial of it has succeeded.
        """
        if num_epochs is not None and num_epochs < 1:
            raise InputError(f"num_epochs must be at least 1, got {num_epochs}")
        train, val = self._read(train_data, val_data)
        study = self._study or found_module_study(self._storage, self._study_name, self._about)
        return self.train(lowest_trial(study).params, train, val, num_epochs=num_epochs)

    @single_precision()
    @training_state()
    def train(
        self,
        params: Mapping[str, Any],
        train: Pairs,
        val: Pairs,
        watch: Callable[[int, float], None] = lambda epoch, val_loss: None,
        num_epochs: int | None = None,
        n_seed: int = 0,
    ) -> TrainedModule:
        """Train what a trial's parameters, as Optuna has them, mean, by one of the seeds, from 0."""
        options = self.space.options(params)
        training = options.training if num_epochs is None else {**options.training, "num_epochs": num_epochs}
        make = partial(self.model_class, **options.model)
        return train_module(
            make, training, train, val, self.loss, self.seed + n_seed, self._device, self._threads, watch
        )

    def _read(self, train_data: Any, val_data: Any) -> tuple[Pairs, Pairs]:
        return read_pairs(train_data, "train_data", self.seed), read_pairs(val_data, "val_data", self.seed)

    def _sampler_for(self, seed: int, number: int) -> BaseSampler:
        if self.strategy == "resilient":
            space = self.space.distributions
            return ResilientSampler(
                seed, self._resilient, space, self._n_parameters, built=self.space.options
            )
        if self.strategy == "grid":
            # The order of a grid's points is shuffled by the seed, so that it must be the same throughout.
            return GridSampler(self.space.grid(), self.seed)
        return standard_sampler(self.strategy, seed)

    def _n_parameters(self, params: Mapping[str, Any]) -> float:
        """Return size of the model that these parameters mean; infinite where they mean none."""
        try:
            with torch.random.fork_rng([]):
                model = self.model_class(**self.space.options(params).model)
        except Exception:  # whatever the class objects to; a trial with it records the reason
            return inf
        return sum(parameter.numel() for parameter in model.parameters())


@dataclass(frozen=True)
class SearchResult:
    """The results of a search.

    Attributes:
        study: Its Optuna study.
        optimizer: What searched.
        train, val: The data; ``val`` is None where folds of ``train`` judge.
    """

    study: optuna.Study
    optimizer: HyperparameterOptimizer
    train: Pairs
    val: Pairs | None

    @property
    def best_params(self) -> dict[str, Any]:
        """The best trial's options, as constructor and training take them.

        Raises:
            InputError: If no trial has succeeded; it says how the last one failed.
        """
        return self.optimizer.space.values(lowest_trial(self.study).params)

    @property
    def best_value(self) -> float:
        """The best trial's validation loss; raises as ``best_params`` does."""
        value = lowest_trial(self.study).value
        assert value is not None
        return value

    @property
    def n_trials(self) -> int:
        """Trials that ended, well or not."""
        return count_finished(self.study)

    @property
    def failures(self) -> dict[int, str]:
        """Why trials failed, by their numbers."""
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        return {trial.number: trial.user_attrs.get("failure", "") for trial in trials}

    def best_model(self) -> nn.Module:
        """Return the best trial's model, trained again to the same values; raises as ``best_params`` does.

        With seeds it is that of the first one; with folds it is trained on all training rows, as in no trial.

        Warns:
            RuntimeWarning: If its loss is another one than was recorded.
        """
        best = lowest_trial(self.study)
        if self.val is None:
            return self.optimizer.train(best.params, self.train, self.train).model
        trained = self.optimizer.train(best.params, self.train, self.val)
        recorded = best.user_attrs.get(LOSSES, [self.best_value])[0]
        if not isclose(trained.val_loss, recorded, rel_tol=1e-6):
            warnings.warn(
                f"trial {best.number} of study {self.study.study_name!r} is recorded with a loss of "
                f"{recorded:g}, but now comes to {trained.val_loss:g}: model class, loss, machine or version "
                "of torch are not those that it was made with",
                RuntimeWarning,
                stacklevel=2,
            )
        return trained.model


@contextmanager
def _in_words_of_python() -> Iterator[None]:
    """Let problems that begin with an option of the command line name the argument."""
    try:
        yield
    except InputError as error:
        raise InputError([problem.removeprefix("--") for problem in error.problems]) from None


def lowest_trial(study: optuna.Study) -> FrozenTrial:
    """Return the complete trial with the lowest value, the first of several.

    Raises:
        InputError: If there is none; it says how the last trial failed.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if complete:
        return min(complete, key=lambda trial: (trial.value, trial.number))
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    reason = f"; the last failure: {failed[-1].user_attrs.get('failure')}" if failed else ""
    raise InputError(f"no trial of study {study.study_name!r} has succeeded{reason}")
