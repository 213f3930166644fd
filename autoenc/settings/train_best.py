"""Options of training the best trial of a record in full."""

from __future__ import annotations

from typing import Annotated

from pydantic import FiniteFloat

from autoenc.engines.recipe import Activation, Norm
from autoenc.settings.base import (
    SPLIT,
    Count,
    DataSettings,
    Dropout,
    PathText,
    Positive,
    WeightDecay,
    Width,
)
from autoenc.settings.options import again, option
from autoenc.settings.refine import RefineSettings
from autoenc.settings.search import SearchSettings
from autoenc.settings.shared import DeviceSettings, QuietSettings, RecordSettings, ScheduleSettings
from autoenc.settings.space import FamilySettings
from autoenc.settings.training import TrainingSettings
from autoenc.settings.transfer import TransferSettings

__all__ = ["TrainBestSettings"]

Stack = Annotated[tuple[Width, ...], SPLIT]


class TrainBestSettings(QuietSettings, DeviceSettings, RecordSettings):
    """Overrides of a trial that is trained in full; defaults are the trial's own values."""

    from_: PathText = again(RefineSettings, "from_", description="folder of a search")
    trial: int | None = option(
        None, role="place", ge=0, description="number of the trial; by default the best one"
    )
    hidden_dims: Stack | None = option(None, role="space", description='hidden widths instead, e.g. "64,32"')
    epochs: Count | None = again(SearchSettings, "epochs", None, description="passes over the training rows")
    stage2_epochs: int | None = again(
        TransferSettings,
        "stage2_epochs",
        None,
        description="of a transfer-aware search: passes over the labelled rows",
    )
    patience: int | None = again(
        SearchSettings,
        "patience",
        None,
        description="find the number of epochs on one fifth of the training rows: stop there after so many "
        "epochs without a lower loss",
        role="judging",
        ge=1,
    )
    batch_size: Count | None = again(
        SearchSettings, "batch_size", None, description="rows of a training step"
    )
    initial_lr: Positive | None = again(
        SearchSettings, "initial_lr", None, description="learning rate of the first epoch"
    )
    eta_min: FiniteFloat | None = again(ScheduleSettings, "eta_min", None)
    weight_decay: WeightDecay | None = again(
        SearchSettings, "weight_decay", None, description="weight decay of AdamW"
    )
    dropout: Dropout | None = again(
        SearchSettings, "dropout", None, description="probability that a hidden unit is dropped"
    )
    activation: Activation | None = again(
        SearchSettings, "activation", None, description="activation of the hidden layers"
    )
    norm: Norm | None = again(SearchSettings, "norm", None, description="normalization of the layers")
    corruption: FiniteFloat | None = again(FamilySettings, "corruption", None)
    kl_weight: FiniteFloat | None = again(FamilySettings, "kl_weight", None)
    kl_warmup: int | None = again(FamilySettings, "kl_warmup", None)
    seed: int | None = again(
        TrainingSettings, "seed", None, description="seed of weights, batches and dropout"
    )
    data_path: PathText | None = again(
        DataSettings, "data_path", None, description="the table, where it is not where the search found it"
    )
    labelled_path: PathText | None = again(
        TransferSettings,
        "labelled_path",
        None,
        description="of a transfer-aware search: the table with the labelled rows, likewise",
    )
    output_dir: PathText | None = again(
        TrainingSettings,
        "output_dir",
        None,
        description="folder for the model; by default that of the search",
    )
