"""Stage 2 on a frozen encoder: the same training as by torch, many times faster.

The heads are so small that in torch nearly all of the time goes by between operations. Here they lie side by
side in a few arrays, with slopes worked out by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.engines import StopFlag
from autoenc.settings import TransferSettings
from autoenc.two_stage.heads import Heads
from autoenc.two_stage.thawed import HeadRecipe, steps

__all__ = ["train_heads"]

Array = NDArray[np.float32]
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8  # of AdamW, as torch has them


def train_heads(
    heads: Heads,
    latent: Array,
    targets: Mapping[str, NDArray[np.float64]],
    recipe: HeadRecipe,
    settings: TransferSettings,
    stop: StopFlag,
) -> None:
    """Train heads by AdamW; to rounding what :func:`~autoenc.two_stage.thawed.train_thawed` does.

    Args:
        heads: Trained in place, from fresh weights; on the CPU.
        latent: Latent points of the rows to learn from.
        targets: By kind, standardized numbers and classes 0 and 1; NaN where the label is missing.
        recipe: How they are trained.
        settings: The constants of stage 2, and the seed.
        stop: See :func:`~autoenc.two_stage.thawed.steps`.

    Shape:
        latent: ``[rows, latent_dim]``.
        targets: ``[rows]`` each.

    Raises:
        Stopped: If ``stop`` was set before the end.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    with torch.no_grad():
        heads.start(torch.from_numpy(latent), generator)
    points = (latent - heads.center.numpy()) / heads.scale.numpy()
    stacked = _Stacked(heads)
    slope_of = _Slope({kind: targets[kind] for kind in stacked.kinds}, settings)
    update = _AdamW(stacked.parameters, stacked.slopes, recipe.weight_decay)
    # A configuration that diverges is told of by what comes out.
    with np.errstate(all="ignore"):
        for step in steps(heads, len(latent), recipe, settings, generator, stop):
            batch = step.batch.numpy()
            point = points[batch]
            outputs = stacked.forward(point, step.mask.numpy().reshape(len(batch), -1))
            stacked.backward(point, slope_of(batch, outputs))
            update(step.rate)
    stacked.write_back(heads)


class _Stacked:
    """The heads as one network: hidden units of all side by side, and all parameters in one array."""

    def __init__(self, heads: Heads) -> None:
        self.kinds = list(heads.first)
        with torch.no_grad():
            parts = [
                torch.cat([heads.get_parameter(f"{layer}.{kind}.{name}") for kind in self.kinds])
                for layer in ("first", "last")
                for name in ("weight", "bias")
            ]
        parts[0] = parts[0].T  # [latent, units]; the last weights are [kinds, hidden]
        self._shapes = [tuple(part.shape) for part in parts]
        self.parameters: Array = np.concatenate([part.numpy().ravel() for part in parts])
        self.slopes = np.zeros_like(self.parameters)
        self._first, self._first_bias, self._last, self._last_bias = self._views(self.parameters)
        self._towards = self._views(self.slopes)

    def _views(self, whole: Array) -> list[Array]:
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])
        parts = np.split(whole, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def forward(self, point: Array, mask: Array) -> Array:
        """Return the outputs, ``[rows, kinds]``; keeps what :meth:`backward` needs."""
        before = point @ self._first
        before += self._first_bias
        self._open = (before > 0) * mask
        self._unit = (before * self._open).reshape(len(point), *self._last.shape)
        outputs: Array = (self._unit * self._last).sum(2) + self._last_bias
        return outputs

    def backward(self, point: Array, slope: Array) -> None:
        """Fill ``slopes``, given those with respect to the outputs of :meth:`forward`."""
        first, first_bias, last, last_bias = self._towards
        spread = slope[:, :, None]
        np.sum(self._unit * spread, 0, out=last)
        np.sum(slope, 0, out=last_bias)
        before = (spread * self._last).reshape(self._open.shape)
        before *= self._open
        np.matmul(point.T, before, out=first)
        np.sum(before, 0, out=first_bias)

    @torch.no_grad()
    def write_back(self, heads: Heads) -> None:
        """Give the heads the parameters as they are now."""
        hidden = self._last.shape[1]
        for i, kind in enumerate(self.kinds):
            units = slice(i * hidden, (i + 1) * hidden)
            for name, values in (
                (f"first.{kind}.weight", self._first[:, units].T),
                (f"first.{kind}.bias", self._first_bias[units]),
                (f"last.{kind}.weight", self._last[i : i + 1]),
                (f"last.{kind}.bias", self._last_bias[i : i + 1]),
            ):
                heads.get_parameter(name).copy_(torch.from_numpy(values.copy()))


class _Slope:
    """Slopes of the weighted losses: Huber's for numbers, cross-entropy for classes, over known labels."""

    def __init__(self, targets: Mapping[str, NDArray[np.float64]], settings: TransferSettings) -> None:
        self._kinds = list(targets)
        labels = np.stack(list(targets.values()), 1).astype(np.float32)
        self._known = (~np.isnan(labels)).astype(np.float32)
        self._labels = np.nan_to_num(labels, nan=0.0)
        weights = {
            "regression": settings.regression_loss_weight,
            "classification": settings.classification_loss_weight,
        }
        self._weights = np.array([weights[kind] for kind in targets], np.float32)
        # What the cross-entropy of a row counts: more for the rarer class.
        self._heavier = np.ones(len(labels), np.float32)
        if "classification" in targets:
            at = self._kinds.index("classification")
            n_known, n_positive = float(self._known[:, at].sum()), float(self._labels[:, at].sum())
            weight = settings.positive_weight or (n_known - n_positive) / n_positive
            self._heavier[self._labels[:, at] == 1] = weight

    def __call__(self, batch: NDArray[np.int64], outputs: Array) -> Array:
        """Return slopes with respect to outputs, ``[rows, kinds]`` both."""
        known, slopes = self._known[batch], outputs - self._labels[batch]
        for i, kind in enumerate(self._kinds):
            if kind == "regression":
                np.clip(slopes[:, i], -1, 1, out=slopes[:, i])
            else:
                chance = 1 / (1 + np.exp(-outputs[:, i]))
                slopes[:, i] = self._heavier[batch] * (chance - self._labels[batch, i])
        slopes *= known * (self._weights / np.maximum(known.sum(0), 1))
        return slopes


class _AdamW:
    """The optimizer of one array, in place."""

    def __init__(self, parameters: Array, slopes: Array, weight_decay: float) -> None:
        self._parameters, self._slopes, self._weight_decay = parameters, slopes, weight_decay
        self._mean, self._square, self._work = (np.zeros_like(parameters) for _ in range(3))
        self._n_steps = 0

    def __call__(self, rate: float) -> None:
        """Make a step with what ``slopes`` holds now."""
        parameters, slopes, mean, square, work = (
            self._parameters, self._slopes, self._mean, self._square, self._work,
        )  # fmt: skip
        self._n_steps += 1
        mean *= _BETA_1
        mean += np.multiply(slopes, 1 - _BETA_1, out=work)
        square *= _BETA_2
        np.multiply(slopes, slopes, out=work)
        work *= 1 - _BETA_2
        square += work
        parameters *= 1 - rate * self._weight_decay
        np.sqrt(square, out=work)
        work /= sqrt(1 - _BETA_2**self._n_steps)
        work += _EPSILON
        np.divide(mean, work, out=work)
        work *= rate / (1 - _BETA_1**self._n_steps)
        parameters -= work
