"""Encoder and heads in one file, and what they predict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from autoenc.checkpoint import FittedAutoencoder, fitted_model
from autoenc.data import Scaling
from autoenc.engines import Recipe
from autoenc.errors import InputError
from autoenc.paths import write_atomically
from autoenc.transfer.classes import Class, plain_class
from autoenc.transfer.heads import FittedStages, Heads

__all__ = ["TRANSFER_FORMAT", "FittedTransfer", "read_transfer", "save_transfer"]

TRANSFER_FORMAT = "autoenc-transfer"
_VERSION = 2
_READABLE = (1, 2)  # the first also holds the dropout of the heads, which only their training needs
_ROWS_AT_ONCE = 65536


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

    def predict(self, data: pd.DataFrame | NDArray[Any]) -> pd.DataFrame:
        """Predictions for rows, given as to :meth:`encode`.

        Returns:
            A row per row, with the index of a frame: the regression's target in its original units under
            its name; ``NAME_probability`` of the class to be found, and the likelier class under ``NAME``.

        Raises:
            ValueError: As :meth:`encode`.
        """
        values = self._values(data)
        parts = []
        for start in range(0, max(len(values), 1), _ROWS_AT_ONCE):
            scaled = self.scaling.apply(values[start : start + _ROWS_AT_ONCE])
            parts.append(self._columns(self.fitted.outputs(scaled)))
        frame = pd.concat(parts, ignore_index=True)
        return frame.set_axis(data.index) if isinstance(data, pd.DataFrame) else frame

    def _columns(self, outputs: Mapping[str, NDArray[np.float32]]) -> pd.DataFrame:
        columns: dict[str, NDArray[Any]] = {}
        for kind, name in self.targets.items():
            output = outputs[kind].astype(np.float64)
            if kind == "regression":
                assert self.fitted.units is not None
                columns[name] = output * self.fitted.units[1] + self.fitted.units[0]
            else:
                assert self.classes is not None
                columns[f"{name}_probability"] = 1 / (1 + np.exp(-np.clip(output, -500, 500)))
                columns[name] = pd.Series(list(self.classes)).to_numpy()[(output >= 0).astype(int)]
        return pd.DataFrame(columns)


def save_transfer(path: Path, model: FittedTransfer) -> None:
    """Write a file that :func:`autoenc.load_model` reads; it holds tensors and plain values only.

    Raises:
        OSError: If the file cannot be written; an earlier one is then as it was.
    """
    fitted, scaling = model.fitted, model.scaling
    plain = FittedAutoencoder(model.model, model.columns, scaling, {}).info
    content = {
        "format": TRANSFER_FORMAT,
        "version": _VERSION,
        "state_dict": model.model.state_dict(),
        "recipe": dict(model.info["recipe"]),
        "columns": list(model.columns or ()),
        "scaling": {
            "kind": scaling.kind,
            "center": torch.from_numpy(scaling.center),
            "scale": torch.from_numpy(scaling.scale),
        },
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
    write_atomically(path, lambda file: torch.save(content, file))


def read_transfer(path: str | Path, content: Mapping[str, Any]) -> FittedTransfer:
    """The model of a file's content, as torch has loaded it.

    Raises:
        InputError: If it is damaged or of another version.
    """
    if content.get("version") not in _READABLE:
        raise InputError(
            f"{path}: is of transfer format {content.get('version')}, but this version reads {_VERSION}; "
            "update autoenc"
        )
    try:
        kind, center, scale = (content["scaling"][name] for name in ("kind", "center", "scale"))
        scaling = Scaling(kind, center.double().numpy(), scale.double().numpy())
        state = {name: value.numpy() for name, value in content["state_dict"].items()}
        autoencoder = fitted_model(state, Recipe(**content["recipe"]), list(content["columns"]), scaling, {})
        expected = (autoencoder.model.shape.input_dim,)
        if not ((len(content["columns"]),) == scaling.center.shape == scaling.scale.shape == expected):
            raise ValueError("columns, scaling and network do not fit together")
        targets, units, classes = (content[name] for name in ("targets", "units", "classes"))
        named = all(isinstance(name, str) for name in targets.values())
        if not targets or not named or not set(targets) <= {"regression", "classification"}:
            raise ValueError("it names no target that can be predicted")
        if ("regression" in targets) != (units is not None) or ("classification" in targets) != bool(classes):
            raise ValueError("targets, units and classes do not fit together")
        hidden = content["heads"][f"first.{next(iter(targets))}.weight"].shape[0]
        heads = Heads(autoencoder.model.shape.latent_dim, hidden, list(targets)).eval()
        heads.load_state_dict(content["heads"])
        pair = None if units is None else (float(units[0]), float(units[1]))
        fitted = FittedStages(autoencoder, heads, pair, float(content["stage1_loss"]))
        both = None if classes is None else (plain_class(classes[0]), plain_class(classes[1]))
        return FittedTransfer(fitted, targets, both, content["info"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError) as error:
        raise InputError(f"{path}: is a damaged model file: {error}") from None
