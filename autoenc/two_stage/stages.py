"""Both stages of one fold: an encoder is fitted, heads are fitted on it, and the fold judges them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy, deepcopy
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.data.division import scaled_split
from autoenc.data.table import Scaling
from autoenc.engines import Engine, Split, StopFlag
from autoenc.engines.torch_state import training_state
from autoenc.fitted.autoencoder import FittedAutoencoder, fitted_model
from autoenc.settings import TransferSettings
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.folds import Fold
from autoenc.two_stage.frozen import train_heads
from autoenc.two_stage.heads import FittedStages, Heads
from autoenc.two_stage.space import TwoStageConfiguration
from autoenc.two_stage.thawed import HeadRecipe, as_tensor, train_thawed

__all__ = ["Stages", "TrainingFailed"]

Units = tuple[float, float] | None


class TrainingFailed(Exception):  # noqa: N818  (no error of the program: some configurations diverge)
    """Raised where stage 1 or 2 of a trial has no finite result; says why."""


class Stages:
    """Fits both stages on a fold's rows.

    Args:
        data: The tables and targets.
        settings: The constants of both stages.
        engine: What trains stage 1; an encoder that is not frozen is trained on on the same device.
    """

    def __init__(self, data: TransferData, settings: TransferSettings, engine: Engine) -> None:
        self._data, self._settings, self._engine = data, settings, engine
        # The trials go through the same folds again and again.
        self._scaled = lru_cache(maxsize=settings.n_cv_folds + 1)(self._make_scaled)
        self._folds: dict[str, Fold] = {}

    def with_seed(self, place: int) -> Stages:
        """Return what fits by another seed, on the same scaled rows.

        Args:
            place: Among the seeds of the search, which follow on one another; 0 is that of the settings.
        """
        if not place:
            return self
        other = copy(self)
        seed = (self._settings.seed + place) % 2**32
        other._settings = self._settings.model_copy(update={"seed": seed})
        return other

    def split(self, fold: Fold) -> Split:
        """Return the scaled data of a fold's stage 1."""
        return self._of(fold)[0]

    def scaled_labelled(self, fold: Fold) -> NDArray[np.float32]:
        """Return the labelled table in the fold's scaling, ``[labelled rows, columns]``."""
        return self._of(fold)[1]

    def _of(self, fold: Fold) -> tuple[Split, NDArray[np.float32], Scaling]:
        self._folds[fold.pretraining] = fold
        return self._scaled(fold.pretraining)

    def _make_scaled(self, pretraining: str) -> tuple[Split, NDArray[np.float32], Scaling]:
        fold, data = self._folds[pretraining], self._data
        scaling = Scaling.fit(self._settings.scaling, data.table.values, fold.pretrain)
        values = data.table.values
        split = scaled_split(values, scaling, scaling.apply(values), fold.pretrain, fold.held_out)
        labelled = split.values if data.shared else scaling.apply(data.labelled.values)
        return split, labelled, scaling

    def pretrain(
        self, fold: Fold, configuration: TwoStageConfiguration, stop: StopFlag | None = None
    ) -> tuple[FittedAutoencoder, float]:
        """Train stage 1: returns the model, and its loss over the rows held out.

        Raises:
            TrainingFailed: If its loss stops being finite.
            Stopped: If ``stop`` was set.
        """
        split, _, scaling = self._of(fold)
        fit = configuration.fit(self._settings.seed, fold.pretraining)
        outcome = self._engine.fit(split, fit, stop)
        if outcome.failure is not None:
            raise TrainingFailed(f"stage 1: {outcome.failure}")
        info = {
            "final_test_loss": outcome.final_test_loss,
            "seed": self._settings.seed,
            "n_train": int(split.train.size),
            **self._data.table.model_info(),
            "data_fingerprint": self._data.fingerprint,
        }
        model = fitted_model(outcome.state, configuration.recipe, self._data.table.columns, scaling, info)
        return model, outcome.final_test_loss

    @training_state("any")
    def fit(
        self,
        fold: Fold,
        configuration: TwoStageConfiguration,
        pretrained: tuple[FittedAutoencoder, float],
        stop: StopFlag | None = None,
    ) -> FittedStages:
        """Train stage 2 on the model of stage 1, which is trained on where the encoder is not frozen.

        Raises:
            TrainingFailed: If the heads come to no finite parameters.
            Stopped: If ``stop`` was set.
        """
        autoencoder, loss = pretrained
        device = self._engine.device
        rows = torch.nan_to_num(as_tensor(self.scaled_labelled(fold)[fold.train], device), nan=0.0)
        if self._settings.unfreeze:
            autoencoder = deepcopy(autoencoder)  # another fold may start from the same stage 1
            heads, units = self._fit_thawed(fold, configuration.heads, autoencoder, rows, stop)
        else:
            with torch.no_grad():
                latent = autoencoder.model.to(device).encode(rows).cpu().numpy()
            heads, units = self.fit_heads(fold, latent, configuration.heads, stop)
        autoencoder.model.to("cpu")
        return FittedStages(autoencoder, heads, units, loss)

    @training_state("any")
    def fit_heads(
        self, fold: Fold, points: NDArray[np.float32], recipe: HeadRecipe, stop: StopFlag | None = None
    ) -> tuple[Heads, Units]:
        """Train stage 2 alone, on points of the labelled rows to learn from, whatever made them.

        Args:
            fold: The rows.
            points: ``[rows to learn from, size]``.
            recipe: How the heads are trained.
            stop: Ends it early.

        Returns:
            The heads, and mean and standard deviation of the regression's target; None without one.

        Raises:
            TrainingFailed: If the heads come to no finite parameters.
            Stopped: If ``stop`` was set.
        """
        targets, units = self._targets(fold.train)
        heads = Heads(points.shape[1], self._settings.head_hidden, list(targets))
        train_heads(heads, points, targets, recipe, self._settings, stop or StopFlag())
        return _sound(heads), units

    def _fit_thawed(
        self, fold: Fold, recipe: HeadRecipe, autoencoder: FittedAutoencoder, rows: torch.Tensor,
        stop: StopFlag | None,
    ) -> tuple[Heads, Units]:  # fmt: skip
        """Return the same on an encoder that is trained on, in place."""
        targets, units = self._targets(fold.train)
        device, model = self._engine.device, autoencoder.model.to(self._engine.device)
        heads = Heads(model.shape.latent_dim, self._settings.head_hidden, list(targets)).to(device)
        trained = [p for name, p in model.named_parameters() if not name.startswith("decoder")]
        given = {kind: as_tensor(values, device) for kind, values in targets.items()}
        train_thawed(heads, model.encode, trained, rows, given, recipe, self._settings, stop or StopFlag())
        return _sound(heads), units

    def _targets(self, rows: NDArray[np.int64]) -> tuple[dict[str, NDArray[np.float64]], Units]:
        """Return the targets of these rows, numbers standardized by them, and the units taken out."""
        targets = {kind: target.values[rows] for kind, target in self._data.targets.items()}
        if "regression" not in targets:
            return targets, None
        values = targets["regression"]
        units = float(np.nanmean(values)), float(np.nanstd(values))
        return {**targets, "regression": (values - units[0]) / units[1]}, units

    def outputs(self, fold: Fold, fitted: FittedStages) -> Mapping[str, NDArray[np.float32]]:
        """Return what the fold's model says of its validation rows; see :meth:`FittedStages.outputs`."""
        return fitted.outputs(self.scaled_labelled(fold)[fold.validation])


def _sound(heads: Heads) -> Heads:
    """Return trained heads, ready to be used.

    Raises:
        TrainingFailed: If they are not finite.
    """
    if not all(bool(torch.isfinite(value).all()) for value in heads.state_dict().values()):
        raise TrainingFailed("stage 2: the heads stopped being finite")
    return heads.to("cpu").eval()
