"""Options of training the best trial of a record in full."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from autoenc.engines.contract import Activation, Norm
from autoenc.settings.base import SPLIT, PathText, Settings, StorageURL, Width

__all__ = ["TrainBestSettings"]

Stack = Annotated[tuple[Width, ...], SPLIT]


class TrainBestSettings(Settings):
    """What is trained, and what is to be other than in its trial; by default all is as it was there."""

    from_: PathText = Field(description="folder of a search", json_schema_extra={"flag": "from"})
    trial: int | None = Field(None, ge=0, description="number of the trial; by default the best one")
    storage: StorageURL | None = Field(
        None, description="the record, where it is not study.journal in the folder"
    )
    hidden_dims: Stack | None = Field(None, description='hidden widths instead, e.g. "64,32"')
    epochs: int | None = Field(None, ge=1, description="passes over the training rows")
    stage2_epochs: int | None = Field(
        None, ge=1, description="of a transfer-aware search: passes over the labelled rows"
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="find the number of epochs on one fifth of the training rows: stop there after so many "
        "epochs without a lower loss",
    )
    batch_size: int | None = Field(None, ge=1, description="rows of a training step")
    initial_lr: FiniteFloat | None = Field(None, gt=0, description="learning rate of the first epoch")
    eta_min: FiniteFloat | None = Field(
        None, ge=0, description="learning rate at the end of the cosine schedule"
    )
    weight_decay: FiniteFloat | None = Field(None, ge=0, description="weight decay of AdamW")
    dropout: FiniteFloat | None = Field(
        None, ge=0, lt=1, description="probability that a hidden unit is dropped"
    )
    activation: Activation | None = Field(None, description="activation of the hidden layers")
    norm: Norm | None = Field(None, description="normalization of the layers")
    corruption: FiniteFloat | None = Field(
        None, ge=0, lt=1, description="probability that a cell is hidden from a denoising autoencoder"
    )
    kl_weight: FiniteFloat | None = Field(
        None, ge=0, description="weight of the KL divergence of a variational autoencoder"
    )
    kl_warmup: int | None = Field(
        None, ge=0, description="epochs over which that weight rises to its full height"
    )
    seed: int | None = Field(None, ge=0, lt=2**32, description="seed of weights, batches and dropout")
    data_path: PathText | None = Field(
        None, description="the table, where it is not where the search found it"
    )
    labelled_path: PathText | None = Field(
        None, description="of a transfer-aware search: the table with the labelled rows, likewise"
    )
    device: Literal["auto", "cuda", "cpu"] = Field("auto", description="where to train")
    engine: Literal["auto", "native", "torch"] = Field(
        "auto", description="native: the compiled CPU engine; torch: the plain reference"
    )
    output_dir: PathText | None = Field(
        None, description="folder for the model; by default that of the search"
    )
    quiet: bool = Field(False, description="print nothing but warnings and errors")
