"""Options of the transfer-aware search: what is predicted, what is open, and what an error costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, model_validator

from autoenc.engines import EngineName
from autoenc.engines.recipe import ScalingKind
from autoenc.settings.base import (
    DISTINCT,
    METHOD,
    SOME,
    SPLIT,
    ColumnName,
    ColumnOrNone,
    Count,
    DataSettings,
    PathText,
    Positive,
    Settings,
    StorageURL,
    Widths,
)
from autoenc.settings.options import again, option, options_of
from autoenc.settings.search import SearchSettings
from autoenc.settings.shared import BudgetSettings, DeviceSettings, QuietSettings, ScheduleSettings
from autoenc.settings.space import (
    Activations,
    Families,
    FamilySettings,
    NormOptions,
    PositiveRange,
    ShareRange,
    SpaceSettings,
)
from autoenc.settings.training import ScaledSettings, TrainingSettings
from autoenc.settings.trust import FinalistSettings
from autoenc.settings.tune import ADAPTIVE_INSTEAD, StrategyName, TuneSettings

__all__ = ["TransferSettings", "TransferSpaceSettings"]

_LATER = ("stratify", "group", "seeds")
"""Options that came later: only the studies of searches with one of them mention it."""


def _stacks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        widths = text.split("-")
        if not all(width.isdecimal() and 1 <= int(width) <= 65536 for width in widths):
            raise ValueError(f"must be stacks of widths such as 128 or 256-128, got {text!r}")
    return texts


def _folder(name: str) -> str:
    if not name.strip(". ") or not name.isprintable() or any(mark in name for mark in "/\\"):
        raise ValueError(f"must be the name of a folder, without slashes, got {name!r}")
    return name


def _written(value: Any) -> Any:
    """Return a number or a truth value as it would be typed."""
    return str(value) if isinstance(value, bool | int | float) else value


ClassName = Annotated[str, BeforeValidator(_written)]
FolderName = Annotated[str, AfterValidator(_folder)]
Stacks = Annotated[tuple[str, ...], SPLIT, SOME, DISTINCT, AfterValidator(_stacks)]
Weight = Annotated[FiniteFloat, Field(ge=0)]


class TransferSpaceSettings(Settings):
    """The space of a transfer-aware search; a range is ``low,high``, one value alone fixes it."""

    latent_dim_options: Widths = option((64, 128, 256), role="space", description="latent sizes to try")
    hidden_dims_options: Stacks = option(
        ("128", "256", "256-128", "128-64"), role="space", description="hidden stacks of the encoder to try"
    )
    family_options: Families = option(
        ("ae", "dae", "vae"), role="space", description="families to try: plain, denoising, variational"
    )
    activation_options: Activations = again(
        SpaceSettings,
        "activation_options",
        ("relu", "gelu", "tanh"),
        description="activations of the encoder to try",
    )
    norm_options: NormOptions = again(
        SpaceSettings,
        "norm_options",
        ("layer", "none"),
        description="normalizations to try; layer takes out each row's mean and size",
    )
    dropout_range: ShareRange = again(
        SpaceSettings, "dropout_range", (0.15, 0.35), description="dropout of the encoder to try"
    )
    learning_rate_range: PositiveRange = again(
        SpaceSettings,
        "learning_rate_range",
        (5e-4, 2e-3),
        description="first learning rates of stage 1 to try, on a log scale",
    )
    weight_decay_range: PositiveRange = again(
        SpaceSettings,
        "weight_decay_range",
        (1e-5, 1e-3),
        description="weight decays of stage 1 to try, on a log scale",
    )
    head_dropout_range: ShareRange = option(
        (0.05, 0.25), role="space", description="dropout of the heads to try"
    )
    head_learning_rate_range: PositiveRange = option(
        (3e-3, 1e-2), role="space", description="first learning rates of the heads to try, on a log scale"
    )
    head_weight_decay_range: PositiveRange = option(
        (1e-2, 5.0), role="space", description="weight decays of the heads to try, on a log scale"
    )


class TransferSettings(
    QuietSettings, DeviceSettings, BudgetSettings, DataSettings, TransferSpaceSettings, FamilySettings
):
    """Options of ``transfer``."""

    _instead: ClassVar = {
        **ADAPTIVE_INSTEAD,
        "ensemble": "a model with heads has one encoder; --seeds judges by several trainings of it",
        "families": "--family_options says which families are tried",
        "plot": "its pictures are always drawn",
    }

    labelled_path: PathText | None = option(
        None,
        role="data",
        description="table with the labelled rows, where they are not in the table to learn from",
    )
    regression_target: ColumnOrNone = option(
        "rtop",
        role="judging",
        description='column of numbers to predict; "" for none, as where only the other is named',
    )
    classification_target: ColumnOrNone = option(
        "student_centred",
        role="judging",
        description='column of two classes to predict, numbers or words; "" for none, as where only the '
        "other is named",
    )
    positive_class: ClassName | None = option(
        None,
        role="judging",
        description="class that F1 and recall are about; by default the higher number, later word or true",
    )
    n_cv_folds: int = option(
        5,
        role="judging",
        words={"name": "folds"},
        aliases=["folds"],
        ge=2,
        description="folds that a trial is judged by",
    )
    stratify: ColumnName | None = again(
        TrainingSettings,
        "stratify",
        description="column whose shares the test rows and every fold keep, beside those of the classes",
    )
    group: ColumnName | None = again(
        TrainingSettings,
        "group",
        description="column whose rows stay together on one side of every split; stage 1 learns from no row "
        "of a group that judges",
    )
    seeds: int = again(
        ScheduleSettings, "seeds", description="judge every trial by so many seeds in each fold"
    )
    finalists: int = again(FinalistSettings, "finalists", 8)
    epochs: Count = again(SearchSettings, "epochs", 20, description="stage 1: passes over its rows")
    batch_size: Count = again(
        SearchSettings, "batch_size", 32, description="stage 1: rows of a training step"
    )
    scaling: ScalingKind = again(
        ScaledSettings,
        "scaling",
        "maxabs",
        description="scaling of the columns, fitted on the rows of stage 1; maxabs keeps zeros; floored "
        "standardizes, with no scale below a tenth of a column's range; log1p "
        "and quantile bend long tails, auto does where a column has one",
    )
    stage2_epochs: int = option(
        20, role="training", ge=1, description="stage 2: passes over the labelled rows"
    )
    stage2_batch_size: Count | None = option(
        None,
        role="training",
        description="stage 2: rows of a training step; by default a sixteenth of them, 8 to 64",
    )
    head_hidden: int = option(
        32, role="training", ge=1, le=65536, description="stage 2: hidden width of a head"
    )
    unfreeze: bool = option(False, role="training", description="stage 2 trains the encoder on, too")
    encoder_rate_share: Annotated[FiniteFloat, Field(gt=0, le=1)] = option(
        0.1,
        role="training",
        description="with --unfreeze, the encoder's learning rate as a share of the heads'",
    )
    regression_loss_weight: Positive = option(
        1.0, role="training", description="stage 2: weight of the regression's loss"
    )
    classification_loss_weight: Positive = option(
        1.0, role="training", description="stage 2: weight of the classification's loss"
    )
    positive_weight: Positive | None = option(
        None,
        role="training",
        description="stage 2: weight of the positive class; by default its rarity among the rows",
    )
    mae_weight: Weight = option(
        1.5, role="judging", description="objective: weight of the mean absolute error"
    )
    f1_weight: Weight = option(2.0, role="judging", description="objective: weight of 1 - F1")
    recall_weight: Weight = option(1.5, role="judging", description="objective: weight of 1 - recall")
    stage1_weight: Weight = option(
        0.1, role="judging", description="objective: weight of the loss of stage 1"
    )
    sampler: Annotated[StrategyName, METHOD] = option(
        "tpe",
        role="progress",
        words={"name": "strategy"},
        aliases=["strategy", "search_method"],
        description="how the next trial is chosen; bayesian is another name of tpe",
    )
    pruner: Literal["median", "hyperband", "none"] = again(
        TuneSettings,
        "pruner",
        "none",
        description="end trials that do badly between two folds",
        role="progress",
    )
    seed: int = again(
        TrainingSettings, "seed", 42, description="seed of rows, weights, batches, dropout and search"
    )
    engine: EngineName = again(
        DeviceSettings,
        "engine",
        "auto",
        description="of stage 1; native: the compiled CPU engine; stacked: many fits at once, for a GPU; "
        "stacked_tf32: it with products rounded to three digits; torch: the plain reference",
    )
    n_jobs: int = option(
        1,
        role="place",
        words={"name": "jobs"},
        aliases=["jobs"],
        ge=1,
        description="trials at once; only one at a time can be repeated exactly",
    )
    output_dir: PathText = again(
        TrainingSettings, "output_dir", "results/transfer", description="folder of the searches"
    )
    name: FolderName | None = option(
        None, role="place", description="of this search; by default the table's name"
    )
    resume: PathText | None = option(
        None,
        role="progress",
        needs="command line",
        description="go on with this study.db, with the options it was begun with",
    )
    storage: StorageURL | None = again(
        TrainingSettings,
        "storage",
        description="record at this Optuna storage URL, e.g. sqlite:///studies.db, under the search's name, "
        "instead of study.db in its folder",
    )
    scheduler: str | None = again(TrainingSettings, "scheduler", None)
    track: Literal["mlflow", "tensorboard", "wandb"] | None = again(
        TrainingSettings,
        "track",
        description="log each trial, tables and pictures to this tracking server, once; mlflow and "
        "tensorboard log to the search's folder unless told otherwise",
    )
    fresh: bool = again(TrainingSettings, "fresh", False)
    dry_run: bool = again(SearchSettings, "dry_run", False)

    @model_validator(mode="before")
    @classmethod
    def _one_target_alone(cls, given: Any) -> Any:
        """Who names one column to predict wants no other; the usual ones are for who names none of them.

        With ``resume`` the study that is there says what the other one is.
        """
        targets = "regression_target", "classification_target"
        if not isinstance(given, Mapping) or given.get("resume") is not None:
            return given
        named = [given[name] for name in targets if name in given]
        if len(named) != 1 or named == [""]:  # who wants one less keeps the usual other
            return given
        return {**dict.fromkeys(targets, ""), **given}

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        problems: list[tuple[tuple[str, ...], str]] = []
        names = ("regression_target", "classification_target")
        if self.fresh and self.resume is not None:
            problems.append(
                (("fresh", "resume"), "--fresh starts over, and --resume goes on; give one of them")
            )
        if self.storage is not None and self.resume is not None:
            text = "--resume names a file; a record at --storage goes on with the same options and --name"
            problems.append((("storage", "resume"), text))
        if not self.regression_target and not self.classification_target:
            text = "--regression_target and --classification_target are both empty; name at least one"
            problems.append((names, text))
        elif self.regression_target == self.classification_target:
            text = f"--regression_target and --classification_target are both {self.regression_target!r}"
            problems.append((names, text))
        if self.positive_class is not None and not self.classification_target:
            text = "--positive_class needs a --classification_target"
            problems.append((("positive_class", "classification_target"), text))
        if self.seed + self.seeds > 2**32:
            problems.append((("seed", "seeds"), "--seed and --seeds together must stay below 2**32"))
        probability = f"{self.classification_target}_probability"
        if self.classification_target and self.regression_target == probability:
            text = (
                f"--regression_target must not be {probability!r}, which predictions call the class's column"
            )
            problems.append((names, text))
        taken = [name for name in self.targets.values() if self.columns and name in self.columns]
        if taken:
            text = f"--columns must not hold what is to be predicted, got {', '.join(taken)}"
            problems.append((("columns", *names), text))
        for name in ("stratify", "group"):
            if getattr(self, name) not in self.targets.values():
                continue
            text = f"--{name} must not be what is to be predicted, got {getattr(self, name)!r}"
            if name == "stratify" and self.stratify == self.classification_target:
                text += "; the shares of its classes are kept anyway"
            problems.append(((name, *names), text))
        weights = ["stage1_weight"]
        weights += ["mae_weight"] if self.regression_target else []
        weights += ["f1_weight", "recall_weight"] if self.classification_target else []
        if not any(getattr(self, name) for name in weights):
            named = ", ".join(f"--{name}" for name in weights)
            problems.append((tuple(weights), f"the weights of the objective must not all be 0: {named}"))
        problems += self.engine_contradictions()
        return problems

    @property
    def targets(self) -> dict[str, str]:
        """The columns to predict, by ``regression`` and ``classification``; those that are wanted."""
        named = {"regression": self.regression_target, "classification": self.classification_target}
        return {kind: name for kind, name in named.items() if name}

    def defining(self) -> dict[str, Any]:
        """Return the options that decide what a trial's value means, as plain values; see :data:`_LATER`."""
        usual = {name: type(self).model_fields[name].default for name in _LATER}
        judging = self.all_defining().items()
        return {name: value for name, value in judging if name not in usual or value != usual[name]}

    def all_defining(self) -> dict[str, Any]:
        """Return the same with those that came later, whatever their values."""
        # How far, where and in what order trials are made is no matter; data count by their content.
        return self.model_dump(mode="json", include={*options_of(type(self), "judging", "training", "space")})
