"""Adaptive search of the hyperparameters of any torch module."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from copy import copy
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import optuna
import torch
from optuna.distributions import distribution_to_json
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, GridSampler
from optuna.trial import FrozenTrial, TrialState
from torch import nn

from autoenc.data.division import repeat_seed
from autoenc.engines import StopFlag
from autoenc.engines.torch_state import single_precision, training_state
from autoenc.errors import InputError
from autoenc.record.record import Record
from autoenc.searching.connect import connect
from autoenc.searching.executors import Here
from autoenc.searching.loop import Executor, run
from autoenc.settings.training import parse_address
from autoenc.settings.trust import MOST_FINALISTS
from autoenc.settings.tune import StrategyName
from autoenc.system.surroundings import quiet_optuna
from autoenc.tuning.code import code_hash
from autoenc.tuning.module_finalists import kept_trial, last_round_of
from autoenc.tuning.module_study import began_module_study, found_module_study, opened, stable_text
from autoenc.tuning.module_trials import ModuleObjective, ModuleOutcome, ModuleTrials, ModuleUnit
from autoenc.tuning.modules import ModuleSpace
from autoenc.tuning.pairs import Pairs, read_pairs
from autoenc.tuning.remote import remote_modules
from autoenc.tuning.resilient import ResilientOptions, ResilientSampler
from autoenc.tuning.sampling import PerTrialSampler, standard_sampler
from autoenc.tuning.space import HyperparameterSearchSpace, n_points
from autoenc.tuning.training import Loss, TrainedModule, train_module

if TYPE_CHECKING:
    from autoenc.workflows.module_results import ModuleResults

__all__ = ["HyperparameterOptimizer"]


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
        finalists: Best trials that are judged again at the end, by other folds and seeds, more and more of
            them for those that are hard to tell apart; 1 for none. It takes ``folds``.
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
        finalists: int = 1,
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
        folds, seeds, finalists = map(operator.index, (folds, seeds, finalists))
        if strategy not in get_args(StrategyName):
            problems.append(f"strategy must be one of {', '.join(get_args(StrategyName))}, got {strategy!r}")
        if not 0 <= seed < 2**32:
            problems.append(f"seed must be at least 0 and below 2**32, got {seed}")
        if folds < 0 or folds == 1:
            problems.append(f"folds must be 0 or at least 2, got {folds}")
        if seeds < 1 or seed + seeds > 2**32:
            problems.append(f"seeds must be at least 1, and seed and seeds together below 2**32, got {seeds}")
        if not 1 <= finalists <= MOST_FINALISTS:
            problems.append(f"finalists must be at least 1 and at most {MOST_FINALISTS:,}, got {finalists}")
        elif finalists > 1 and not folds:
            text = f"finalists {finalists} judges by further folds of the training rows; give folds=5"
            problems.append(text)
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
        self.folds, self.seeds, self.finalists = folds, seeds, finalists
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
    ) -> ModuleResults:
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
            self._run(record, trials, train, val)
        from autoenc.workflows.module_results import ModuleResults  # workers of a cluster do without reports

        return ModuleResults(study, self, train, val)

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
        repeat: int = 0,
    ) -> TrainedModule:
        """Train once for a trial: on all folds but one, or on all training rows."""
        if fold is not None:
            train, val = train.without_fold(fold, self.folds, repeat_seed(self.seed, repeat))
        assert val is not None
        return self.train(params, train, val, watch, n_seed=n_seed, repeat=repeat)

    def _run(self, record: Record, trials: ModuleTrials, train: Pairs, val: Pairs | None) -> None:
        """Run trials here, or on the cluster, and then judge the best of them again."""
        measured = partial(self._train_unit, train=train, val=val)
        objective, stop = ModuleObjective(measured, self.folds, self.seeds), StopFlag()
        with self._executor(objective, stop, train, val) as executor:
            n_parallel = executor.slots()
            run(trials, objective, executor, stop, n_parallel)
            # Whoever ends the last trial of a shared study knows all that can be finalists.
            if record.is_alone or not record.trials(TrialState.RUNNING):
                last = last_round_of(record.study)
                last.judge(self.finalists, self.seeds, objective, executor, stop, n_parallel)

    @contextmanager
    def _executor(
        self, objective: ModuleObjective, stop: StopFlag, train: Pairs, val: Pairs | None
    ) -> Iterator[Executor[ModuleUnit, ModuleOutcome]]:
        if self._scheduler is None:
            yield Here(objective, stop)
            return
        alone = copy(self)  # a study and its storage stay here
        alone._study = alone._storage = None
        remote = remote_modules(partial(alone._train_unit, train=train, val=val))
        with _in_words_of_python(), closing(connect(self._scheduler, remote)) as cluster:
            yield cluster

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
        return self.train(kept_trial(study).params, train, val, num_epochs=num_epochs)

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
        repeat: int = 0,
    ) -> TrainedModule:
        """Train what a trial's parameters, as Optuna has them, mean, by one of the seeds, from 0.

        A repeat, from 1, has seeds of its own; those of repeat 0 are the search's.
        """
        options = self.space.options(params)
        training = options.training if num_epochs is None else {**options.training, "num_epochs": num_epochs}
        make = partial(self.model_class, **options.model)
        seed = (repeat_seed(self.seed, repeat) + n_seed) % 2**32
        return train_module(make, training, train, val, self.loss, seed, self._device, self._threads, watch)

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


@contextmanager
def _in_words_of_python() -> Iterator[None]:
    """Let problems that begin with an option of the command line name the argument."""
    try:
        yield
    except InputError as error:
        raise InputError([problem.removeprefix("--") for problem in error.problems]) from None
