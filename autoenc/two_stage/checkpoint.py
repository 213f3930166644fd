"""Encoder and heads in one file, and what they predict."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from autoenc.fitted.autoencoder import MODEL_PARTS, FittedAutoencoder, model_of_content
from autoenc.fitted.learned_range import refuse_no_number
from autoenc.fitted.parts import check_keys, columns_of, info_of, parameters_of, scaling_content
from autoenc.fitted.sealed import write_sealed
from autoenc.two_stage.classes import Class, plain_class
from autoenc.two_stage.heads import FittedStages, Heads

__all__ = [
    "TRANSFER_FORMAT", "TRANSFER_VERSIONS", "FittedTransfer", "save_transfer", "transfer_content",
    "transfer_of_content",
]  # fmt: skip

TRANSFER_FORMAT = "autoenc-transfer"
TRANSFER_VERSIONS = (1, 2)  # the first also holds the dropout of the heads, which only their training needs
_OWN_PARTS = ("heads", "targets", "units", "classes", "stage1_loss", "head_dropout")


class FittedTransfer(FittedAutoencoder):
    """An autoencoder with heads on its encoder: besides latent points it gives predictions.

    Args:
        fitted: Both stages.
        targets: Names of the columns, by ``regression`` and ``classification``.
        classes: What the classes 0 and 1 are called in the data; None without a classification.
        info: Everything else that is known, as plain values.
    """

    def __init__(
        self,
        fitted: FittedStages,
        targets: Mapping[str, str],
        classes: tuple[Class, Class] | None,
        info: Mapping[str, Any],
    ) -> None:
        autoencoder = fitted.autoencoder
        given = {"recipe": autoencoder.info["recipe"], "targets": dict(targets)}
        super().__init__(autoencoder.model, autoencoder.columns, autoencoder.scaling, {**info, **given})
        self.fitted, self.targets, self.classes = fitted, dict(targets), classes

    def predict(self, data: Any) -> Any:
        """Predict for rows, given as to :meth:`encode`.

        Returns:
            A frame with a row per row, of polars for one of polars, else of pandas and with the index of one:
            the regression's target in its original units under its name; ``NAME_probability`` of the class to
            be found, and the likelier class under ``NAME``.

        Raises:
            ValueError: As :meth:`encode`; it warns as that does, too.
        """
        rows = self.rows(data)
        parts = [self._columns(self.fitted.outputs(scaled)) for scaled in self.scaled_blocks(rows.cells)]
        return rows.frame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write encoder and heads to one file; as :meth:`FittedAutoencoder.save`."""
        save_transfer(Path(path), self)

    def content(self) -> dict[str, Any]:
        """Return what a model file holds, heads among it."""
        return transfer_content(self)

    def _columns(self, outputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        columns: dict[str, NDArray[Any]] = {}
        for kind, name in self.targets.items():
            output = outputs[kind].astype(np.float64)
            refuse_no_number(output[:, None])
            if kind == "regression":
                assert self.fitted.units is not None
                columns[name] = output * self.fitted.units[1] + self.fitted.units[0]
            else:
                assert self.classes is not None
                columns[f"{name}_probability"] = 1 / (1 + np.exp(-np.clip(output, -500, 500)))
                columns[name] = pd.Series(list(self.classes)).to_numpy()[(output >= 0).astype(int)]
        return columns


def save_transfer(path: Path, model: FittedTransfer, *, keep_earlier: bool = False) -> Path | None:
    """Write a file that :func:`autoenc.load_model` reads; as :func:`autoenc.fitted.autoencoder.save_model`.

    Raises:
        OSError: If the file cannot be written; an earlier one is then as it was.
    """
    return write_sealed(path, transfer_content(model), keep_earlier)


def transfer_content(model: FittedTransfer) -> dict[str, Any]:
    """Return what the file of a model with heads holds."""
    fitted, scaling = model.fitted, model.scaling
    plain = FittedAutoencoder(model.model, model.columns, scaling, {}).info
    return {
        "format": TRANSFER_FORMAT,
        "version": TRANSFER_VERSIONS[-1],
        "state_dict": model.model.state_dict(),
        "recipe": dict(model.info["recipe"]),
        "columns": list(model.columns or ()),
        "scaling": scaling_content(scaling),
        "heads": fitted.heads.state_dict(),
        "targets": dict(model.targets),
        "units": None if fitted.units is None else list(fitted.units),
        "classes": None if model.classes is None else list(model.classes),
        "stage1_loss": fitted.stage1_loss,
        "info": {
            name: value
            for name, value in model.info.items()
            if name not in plain and name not in ("recipe", "targets")
        },
    }


def transfer_of_content(content: Mapping[str, Any]) -> FittedTransfer:
    """Return the model that a file's content describes; raises as :func:`.model_of_content`."""
    plain = {name: content[name] for name in MODEL_PARTS if name in content}
    autoencoder = model_of_content({**plain, "info": {}})
    check_keys(content, {*MODEL_PARTS, *_OWN_PARTS})
    targets = _targets(content["targets"])
    units, classes = content["units"], content["classes"]
    if ("regression" in targets) != (units is not None) or ("classification" in targets) != bool(classes):
        raise ValueError("targets, units and classes do not fit together")
    fitted = FittedStages(
        autoencoder,
        _heads(parameters_of(content["heads"]), autoencoder.model.shape.latent_dim, list(targets)),
        None if units is None else _units(units),
        float(content["stage1_loss"]),
    )
    both = None if classes is None else _classes(classes)
    derived = {*autoencoder.info, "targets"}
    return FittedTransfer(fitted, targets, both, info_of(content["info"], derived))


def _targets(targets: Any) -> dict[str, str]:
    if (
        not isinstance(targets, Mapping)
        or not targets
        or not set(targets) <= {"regression", "classification"}
    ):
        raise ValueError("it names no target that can be predicted")
    if len(set(columns_of(list(targets.values())))) != len(targets):
        raise ValueError("its targets must differ")
    return dict(targets)


def _units(units: Any) -> tuple[float, float]:
    mean, deviation = (float(value) for value in units)
    if not (math.isfinite(mean) and math.isfinite(deviation) and deviation > 0):
        raise ValueError(f"the regression's mean and deviation must be finite, got {mean} and {deviation}")
    return mean, deviation


def _classes(classes: Any) -> tuple[Class, Class]:
    low, high = (plain_class(value) for value in classes)
    if low == high or not all(isinstance(value, Class) for value in (low, high)):
        raise ValueError(f"its classes must be two, got {low!r} and {high!r}")
    return low, high


def _heads(state: dict[str, torch.Tensor], latent_dim: int, kinds: list[str]) -> Heads:
    hidden = state[f"first.{kinds[0]}.weight"].shape[0]
    if hidden < 1 or not (state["scale"] > 0).all():
        raise ValueError("its heads must have hidden units, and scales above 0")
    with torch.inference_mode(False), torch.device("meta"):
        heads = Heads(latent_dim, hidden, kinds)
        heads.load_state_dict(state, assign=True)
    return heads.eval()
