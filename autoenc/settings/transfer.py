"""Options of the transfer-aware search: what is predicted, what is open, and what an error costs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat

from autoenc.settings.base import DISTINCT, SOME, SPLIT, DataSettings, PathText, Settings, Widths
from autoenc.settings.space import (
    Activations,
    BatchSize,
    Families,
    FamilySettings,
    NormOptions,
    Positive,
    PositiveRange,
    ShareRange,
)

__all__ = ["SamplerName", "TransferSettings", "TransferSpaceSettings"]

SamplerName = Literal["tpe", "random", "cmaes", "gp", "nsgaii", "resilient"]


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
    """A number or a truth value as it would be typed."""
    return str(value) if isinstance(value, bool | int | float) else value


ClassName = Annotated[str, BeforeValidator(_written)]
FolderName = Annotated[str, AfterValidator(_folder)]
Stacks = Annotated[tuple[str, ...], SPLIT, SOME, DISTINCT, AfterValidator(_stacks)]
Weight = Annotated[FiniteFloat, Field(ge=0)]


class TransferSpaceSettings(Settings):
    """What is open in a transfer-aware search; a range is ``low,high``, one value alone fixes the option."""

    latent_dim_options: Widths = Field((64, 128, 256), description="latent sizes to try")
    hidden_dims_options: Stacks = Field(
        ("128", "256", "256-128", "128-64"), description="hidden stacks of the encoder to try"
    )
    family_options: Families = Field(
        ("ae", "dae", "vae"), description="families to try: plain, denoising, variational"
    )
    activation_options: Activations = Field(
        ("relu", "gelu", "tanh"), description="activations of the encoder to try"
    )
    norm_options: NormOptions = Field(
        ("layer", "none"),
        description="normalizations to try; layer takes out each row's mean and size",
    )
    dropout_range: ShareRange = Field((0.15, 0.35), description="dropout of the encoder to try")
    learning_rate_range: PositiveRange = Field(
        (5e-4, 2e-3), description="first learning rates of stage 1 to try, on a log scale"
    )
    weight_decay_range: PositiveRange = Field(
        (1e-5, 1e-3), description="weight decays of stage 1 to try, on a log scale"
    )
    head_dropout_range: ShareRange = Field((0.05, 0.25), description="dropout of the heads to try")
    head_learning_rate_range: PositiveRange = Field(
        (3e-3, 1e-2), description="first learning rates of the heads to try, on a log scale"
    )
    head_weight_decay_range: PositiveRange = Field(
        (1e-2, 5.0), description="weight decays of the heads to try, on a log scale"
    )


class TransferSettings(DataSettings, TransferSpaceSettings, FamilySettings):
    """Options of ``transfer``."""

    labelled_path: PathText | None = Field(
        None, description="table with the labelled rows, where they are not in the table to learn from"
    )
    regression_target: str = Field("rtop", description='column of numbers to predict; "" for none')
    classification_target: str = Field(
        "student_centred", description='column of two classes to predict, numbers or words; "" for none'
    )
    positive_class: ClassName | None = Field(
        None,
        description="class that F1 and recall are about; by default the higher number, later word or true",
    )
    n_trials: int = Field(50, ge=1, description="trials in all, those of an earlier run counted")
    timeout_hours: FiniteFloat | None = Field(None, gt=0, description="begin no trial after so many hours")
    n_cv_folds: int = Field(5, ge=2, description="folds that a trial is judged by")
    finalists: int = Field(
        8,
        ge=1,
        le=1024,
        description="best trials to be judged again at the end, by more and more folds; 1 for none",
    )
    epochs: int = Field(20, ge=1, description="stage 1: passes over its rows")
    batch_size: BatchSize = Field(32, description="stage 1: rows of a training step")
    scaling: Literal["maxabs", "none", "minmax", "standard", "robust"] = Field(
        "maxabs", description="scaling of the columns, fitted on the rows of stage 1; maxabs keeps zeros"
    )
    stage2_epochs: int = Field(20, ge=1, description="stage 2: passes over the labelled rows")
    stage2_batch_size: BatchSize | None = Field(
        None, description="stage 2: rows of a training step; by default a sixteenth of them, 8 to 64"
    )
    head_hidden: int = Field(32, ge=1, le=65536, description="stage 2: hidden width of a head")
    unfreeze: bool = Field(False, description="stage 2 trains the encoder on, too")
    encoder_rate_share: Annotated[FiniteFloat, Field(gt=0, le=1)] = Field(
        0.1, description="with --unfreeze, the encoder's learning rate as a share of the heads'"
    )
    regression_loss_weight: Positive = Field(1.0, description="stage 2: weight of the regression's loss")
    classification_loss_weight: Positive = Field(
        1.0, description="stage 2: weight of the classification's loss"
    )
    positive_weight: Positive | None = Field(
        None, description="stage 2: weight of the positive class; by default its rarity among the rows"
    )
    mae_weight: Weight = Field(1.5, description="objective: weight of the mean absolute error")
    f1_weight: Weight = Field(2.0, description="objective: weight of 1 - F1")
    recall_weight: Weight = Field(1.5, description="objective: weight of 1 - recall")
    stage1_weight: Weight = Field(0.1, description="objective: weight of the loss of stage 1")
    sampler: SamplerName = Field("tpe", description="how the next trial is chosen")
    pruner: Literal["median", "hyperband", "none"] = Field(
        "none", description="end trials that do badly between two folds"
    )
    seed: int = Field(42, ge=0, lt=2**32, description="seed of rows, weights, batches, dropout and search")
    device: Literal["auto", "cuda", "cpu"] = Field("auto", description="where to train")
    engine: Literal["auto", "native", "torch"] = Field(
        "auto", description="of stage 1; native: the compiled CPU engine; torch: the plain reference"
    )
    n_jobs: int = Field(1, ge=1, description="trials at once; only one at a time can be repeated exactly")
    output_dir: PathText = Field("results/transfer", description="folder of the searches")
    name: FolderName | None = Field(None, description="of this search; by default the table's name")
    resume: PathText | None = Field(
        None, description="go on with this study.db, with the options it was begun with"
    )
    quiet: bool = Field(False, description="print nothing but warnings and errors")

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        found: list[tuple[tuple[str, ...], str]] = []
        names = ("regression_target", "classification_target")
        if not self.regression_target and not self.classification_target:
            text = "--regression_target and --classification_target are both empty; name at least one"
            found.append((names, text))
        elif self.regression_target == self.classification_target:
            text = f"--regression_target and --classification_target are both {self.regression_target!r}"
            found.append((names, text))
        if self.positive_class is not None and not self.classification_target:
            text = "--positive_class needs a --classification_target"
            found.append((("positive_class", "classification_target"), text))
        probability = f"{self.classification_target}_probability"
        if self.classification_target and self.regression_target == probability:
            text = (
                f"--regression_target must not be {probability!r}, which predictions call the class's column"
            )
            found.append((names, text))
        taken = [name for name in self.targets.values() if self.columns and name in self.columns]
        if taken:
            text = f"--columns must not hold what is to be predicted, got {', '.join(taken)}"
            found.append((("columns", *names), text))
        weights = ["stage1_weight"]
        weights += ["mae_weight"] if self.regression_target else []
        weights += ["f1_weight", "recall_weight"] if self.classification_target else []
        if not any(getattr(self, name) for name in weights):
            named = ", ".join(f"--{name}" for name in weights)
            found.append((tuple(weights), f"the weights of the objective must not all be 0: {named}"))
        if self.engine == "native" and self.device == "cuda":
            text = "--engine native trains on the CPU only; with --device cuda use --engine torch"
            found.append((("engine", "device"), text))
        return found

    @property
    def targets(self) -> dict[str, str]:
        """The columns to predict, by ``regression`` and ``classification``; those that are wanted."""
        named = {"regression": self.regression_target, "classification": self.classification_target}
        return {kind: name for kind, name in named.items() if name}

    def defining(self) -> dict[str, Any]:
        """The options that decide what a trial's value means, as plain values."""
        written = self.model_dump(mode="json")
        return {name: value for name, value in written.items() if name not in _NOT_DEFINING}


# How far, where and in what order trials are made, and where the files are; data count by their content.
_NOT_DEFINING = {
    "data_path", "labelled_path", "columns", "exclude", "na_values", "n_trials", "timeout_hours", "finalists",
    "sampler", "pruner", "device", "engine", "n_jobs", "output_dir", "name", "resume", "quiet",
}  # fmt: skip
