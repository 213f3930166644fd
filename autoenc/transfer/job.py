"""A transfer-aware search that is ready to run: its tables, which rows judge, and how a trial is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial, Trial

from autoenc.engines import Engine, StopFlag, make_engine
from autoenc.errors import InputError
from autoenc.paths import refuse_own_table
from autoenc.settings import TransferSettings
from autoenc.settings.base import available_cores
from autoenc.transfer.data import TransferData
from autoenc.transfer.finalists import n_repeats, repeat_seed
from autoenc.transfer.folds import Division, Fold, divide
from autoenc.transfer.loop import report_fold
from autoenc.transfer.objective import evaluate, mean_scores
from autoenc.transfer.space import configuration, suggest
from autoenc.transfer.stages import Stages

__all__ = ["TransferJob"]


@dataclass
class TransferJob:
    """A transfer-aware search that is ready to run.

    Attributes:
        settings: The options.
        folder: Where its files go.
        engine: What trains stage 1.
        data: Tables and targets.
        division: Which rows train and which judge.
        repeats: Other folds of the same rows, for the finalists.
    """

    settings: TransferSettings
    folder: Path
    engine: Engine
    data: TransferData
    division: Division
    repeats: list[list[Fold]]

    @classmethod
    def prepare(cls, settings: TransferSettings, folder: Path | None = None) -> TransferJob:
        """Find engine, tables and folder.

        Args:
            settings: The options.
            folder: Where the files go; by default made below the output folder.

        Raises:
            InputError: With everything that is wrong about them.
        """
        import torch
        from threadpoolctl import threadpool_limits

        torch.set_num_threads(1)  # one trial a core
        threadpool_limits(1)
        problems: list[str] = []
        engine = data = division = None
        repeats: list[list[Fold]] = []
        try:
            engine = make_engine(settings.engine, settings.device)
        except InputError as error:
            problems += error.problems
        try:
            data = TransferData.load(settings)
            division = divide(data, settings.n_cv_folds, settings.seed)
            for repeat in range(1, n_repeats(settings.finalists) + 1):
                seed = repeat_seed(settings.seed, repeat)
                repeats.append(divide(data, settings.n_cv_folds, settings.seed, seed).folds)
        except InputError as error:
            problems += error.problems
        if folder is None:
            folder = Path(settings.output_dir) / (settings.name or Path(settings.data_path).stem)
            try:
                for path in {settings.data_path, settings.labelled_path or settings.data_path}:
                    refuse_own_table(path, folder)
            except InputError as error:
                problems += error.problems
            problems += _made(folder, keep=not problems)
        if problems or engine is None or data is None or division is None:
            raise InputError(problems)
        return cls(settings, folder, engine, data, division, repeats)

    @property
    def n_threads(self) -> int:
        """Folds of a trial at once: the cores that the trials leave."""
        if self.engine.device != "cpu":
            return 1
        return max(1, min(available_cores() // self.settings.n_jobs, len(self.division.folds)))

    def evaluation(self, stages: Stages, trial: Trial, stop: StopFlag) -> Callable[[], float]:
        """Take a trial's parameters; what is returned computes its value and notes what it is made of."""
        settings, folds = self.settings, self.division.folds
        chosen = suggest(trial, settings)

        def after_fold(fold: int, value: float) -> None:
            report_fold(trial, fold, value, len(folds) - 1)

        def value() -> float:
            scores = mean_scores(
                evaluate(stages, self.data, folds, chosen, settings, after_fold, stop, self.n_threads)
            )
            for name, number in scores.as_dict(settings).items():
                trial.set_user_attr(name, number)
            return scores.objective(settings)

        return value

    def repeat(self, number: int, stop: StopFlag) -> Callable[[FrozenTrial], list[float]]:
        """What judges a trial once more, by other folds and seeds: the objective of each fold."""
        update = {"seed": repeat_seed(self.settings.seed, number)}
        settings, folds = self.settings.model_copy(update=update), self.repeats[number - 1]
        stages = Stages(self.data, settings, self.engine)

        def objectives(trial: FrozenTrial) -> list[float]:
            chosen = configuration(trial.params, settings)
            found = evaluate(stages, self.data, folds, chosen, settings, stop=stop, n_threads=self.n_threads)
            return [scores.objective(settings) for scores in found]

        return objectives


def _made(folder: Path, keep: bool) -> list[str]:
    """Make a folder, or see only whether it could be made; what is wrong with that."""
    there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not keep and not there:
            folder.rmdir()
    except OSError as error:
        return [f"--output_dir {folder}: cannot be written: {error.strerror}"]
    return []
