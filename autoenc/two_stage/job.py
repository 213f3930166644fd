"""A transfer-aware search that is ready to run: its tables, which rows judge, and how a trial is judged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from optuna import TrialPruned
from optuna.trial import Trial

from autoenc.data.division import repeat_seed
from autoenc.data.read import ReadTable
from autoenc.data.scaling import Scaling, left_out_mark
from autoenc.data.sources import table_stem
from autoenc.engines import Engine, make_engine
from autoenc.errors import InputError
from autoenc.searching.finalists import n_repeats
from autoenc.settings import TransferSettings
from autoenc.settings.base import available_cores
from autoenc.system.paths import check_folder, refuse_own_table
from autoenc.system.surroundings import one_thread_each
from autoenc.tuning.space import n_points
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.folds import Fold, FoldDivision, divide
from autoenc.two_stage.objective import FoldsObjective
from autoenc.two_stage.record import n_beside_grid, recorded_data
from autoenc.two_stage.space import grid
from autoenc.two_stage.stages import Stages

__all__ = ["TransferJob", "report_fold"]


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
        is_on_disk: Whether it keeps a record and files in its folder; else it leaves nothing behind.
    """

    settings: TransferSettings
    folder: Path
    engine: Engine
    data: TransferData
    division: FoldDivision
    repeats: list[list[Fold]]
    is_on_disk: bool = True

    @classmethod
    def prepare(
        cls,
        settings: TransferSettings,
        folder: Path | None = None,
        tables: tuple[ReadTable | None, ReadTable | None] = (None, None),
        is_on_disk: bool = True,
    ) -> TransferJob:
        """Find engine, tables and folder.

        Args:
            settings: The options.
            folder: Where the files go; by default made below the output folder.
            tables: That of stage 1 and that of the labels, where they are no files.
            is_on_disk: Whether it keeps a record and files in a folder.

        Raises:
            InputError: With everything that is wrong about them.
        """
        one_thread_each()
        problems: list[str] = []
        engine = data = division = None
        repeats: list[list[Fold]] = []
        try:
            engine = make_engine(settings.engine, settings.device, n_cores=available_cores())
        except InputError as error:
            problems += error.problems
        place = folder or Path(settings.output_dir) / (settings.name or table_stem(settings.data_path))
        has_record = (is_on_disk or settings.dry_run) and not settings.fresh
        settings = _bounded(settings, place / "study.db" if has_record else None)
        try:
            data = TransferData.load(settings, *tables)
            if is_on_disk:
                data = _as_recorded(data, place / "study.db", settings.storage)
            division = divide(data, settings.n_cv_folds, settings.seed)
            for repeat in range(1, n_repeats(settings.finalists) + 1):
                seed = repeat_seed(settings.seed, repeat)
                repeats.append(divide(data, settings.n_cv_folds, settings.seed, seed).folds)
        except InputError as error:
            problems += error.problems
        if folder is None and is_on_disk:
            try:
                for path in {settings.data_path, settings.labelled_path or settings.data_path}:
                    refuse_own_table(path, place)
                check_folder(place)
            except InputError as error:
                problems += error.problems
        if problems or engine is None or data is None or division is None:
            raise InputError(problems)
        job = cls(settings, place, engine, data, division, repeats, is_on_disk)
        if data.table.varying.any() and any(
            scaling.without_information.all() for scaling in job.scalings.values()
        ):
            raise InputError(
                f"{settings.data_path}: no column varies in the rows that stage 1 learns from; "
                f"--scaling {settings.scaling} has nothing to go by"
            )
        return job

    @cached_property
    def scalings(self) -> dict[str, Scaling]:
        """How the rows of each fold are scaled, by what its encoder is called, and those of all rows."""
        kind, values = self.settings.scaling, self.data.table.values
        folds = {fold.pretraining: fold for fold in [*self.division.folds, self.division.final]}
        return {name: Scaling.fit(kind, values, fold.pretrain) for name, fold in folds.items()}

    @property
    def left_out_mark(self) -> str:
        """What the identity of the search says about columns without a scale; mostly nothing."""
        n_rows = max(fold.pretrain.size for fold in [*self.division.folds, self.division.final])
        splits = {name: (scaling, n_rows) for name, scaling in self.scalings.items()}
        return left_out_mark(splits, self.data.all_values)

    @property
    def n_threads(self) -> int:
        """Fits of a trial at once, of a fold by a seed each: the cores that the trials leave.

        An engine that trains many together is handed all of them.
        """
        n_units = len(self.division.folds) * self.settings.seeds
        if self.engine.n_at_once:
            return n_units
        if self.engine.device != "cpu":
            return 1
        return max(1, min(available_cores() // self.settings.n_jobs, n_units))

    @property
    def n_slots(self) -> int:
        """Folds that are fitted at once, of all trials."""
        return self.settings.n_jobs * self.n_threads

    def objective(self, ahead: float | None = None) -> FoldsObjective:
        """Return what trials are worth; each fold is reported to the trial's study, its pruner asked.

        Args:
            ahead: Folds of a trial that may be fitted at once; by default as many as there are threads.
        """
        last = len(self.division.folds) - 1

        def after_fold(trial: Trial, fold: int, value: float) -> None:
            report_fold(trial, fold, value, last)

        return FoldsObjective(
            cache(self.part), self.data, self.settings, ahead or self.n_threads, after_fold,
            self.settings.seeds,
        )  # fmt: skip

    def part(self, repeat: int) -> tuple[Stages, list[Fold]]:
        """Return what fits in a repeat of the cross-validation, and its folds; repeat 0 is the search."""
        if not repeat:
            return Stages(self.data, self.settings, self.engine), self.division.folds
        settings = self.settings.model_copy(update={"seed": repeat_seed(self.settings.seed, repeat)})
        return Stages(self.data, settings, self.engine), self.repeats[repeat - 1]


def _bounded(settings: TransferSettings, record: Path | None) -> TransferSettings:
    """Return the options with no more trials than a grid has points, beside those of other strategies."""
    if settings.sampler != "grid":
        return settings
    n_others = 0 if record is None else n_beside_grid(record, settings.storage)
    n_trials = min(settings.n_trials, n_others + n_points(grid(settings)))
    return settings.model_copy(update={"n_trials": n_trials})


def report_fold(trial: Trial, fold: int, value: float, last: int) -> None:
    """Report the value after a fold, and end the trial if the pruner says so.

    Raises:
        optuna.TrialPruned: If it does.
    """
    # A trial that is taken up again has reported its first folds before.
    if fold not in trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values:
        trial.report(value, fold)
    if fold < last and trial.should_prune():
        raise TrialPruned


def _as_recorded(data: TransferData, path: Path, storage: str | None) -> TransferData:
    """Return the data with a study's recorded cells; see :mod:`autoenc.record.single_precision`."""
    recorded = recorded_data(path, storage) if storage is not None or path.exists() else None
    if recorded is None or recorded == data.fingerprint:
        return data
    rounded = data.in_single_precision()
    return rounded if rounded.fingerprint == recorded else data
