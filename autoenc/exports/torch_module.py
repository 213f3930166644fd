"""Encoder, decoder and scaling as one torch module: raw rows in, latent points and raw rows out."""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn

from autoenc.data.curves import EDGE, Curve
from autoenc.data.scaling import Scaling
from autoenc.exports.describe import description, members_of
from autoenc.models.network import DynamicAutoencoder
from autoenc.system.text import json_text

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.fitted.ensemble import FittedEnsemble

__all__ = ["RawAutoencoder", "program_bytes"]


class RawAutoencoder(nn.Module):
    """A network between raw rows, or the networks of an ensemble.

    Args:
        model: Networks and scaling.

    Shape:
        input: float64 ``[rows, columns]`` in the original units, NaN where a cell is missing.
        output: latent float32 ``[rows, latent_dim]``, not of an ensemble, and reconstruction float64
            ``[rows, columns]``.
    """

    def __init__(self, model: FittedAutoencoder | FittedEnsemble) -> None:
        super().__init__()
        members = members_of(model)
        copies = [copy.deepcopy(member.model).eval().to("cpu", torch.float32) for member in members]
        self.networks = nn.ModuleList(copies)
        self.scaling = _Scaling(members[0].scaling)

    def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | torch.Tensor:
        """Return latent points and reconstructions of rows; of an ensemble the mean reconstruction."""
        scaled = self.scaling(rows)
        networks = cast("list[DynamicAutoencoder]", list(self.networks))
        latents = [network.encode(scaled) for network in networks]
        decoded = [network.decode(latent) for network, latent in zip(networks, latents, strict=True)]
        reconstruction: torch.Tensor = self.scaling.undo(torch.stack(decoded).mean(dim=0))
        return (latents[0], reconstruction) if len(latents) == 1 else reconstruction


class _Scaling(nn.Module):
    """The maps of a :class:`.Scaling`, its arrays as buffers in double precision."""

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self._keep("center", scaling.center)
        self._keep("scale", scaling.scale)
        self._keep("left_out", scaling.left_out)
        limits = scaling.constant_limits()
        self.has_limits = limits is not None
        for name, limit in zip(("low", "high"), limits or (), strict=False):
            self._keep(name, limit)
        self.n_groups = 0
        for group, unseen in scaling.unseen_groups():
            self._keep(f"group_{self.n_groups}", group)
            self._keep(f"unseen_{self.n_groups}", unseen)
            self.n_groups += 1
        self.curves = [
            curve if curve is not None and scaling.scale[j] else None
            for j, curve in enumerate(scaling.curves)
        ]
        for j, curve in enumerate(self.curves):
            if curve is not None and curve.knots is not None:
                self._keep(f"knots_{j}", curve.knots)

    def _keep(self, name: str, array: np.ndarray) -> None:
        self.register_buffer(name, torch.from_numpy(np.array(array)))

    def _kept(self, name: str) -> torch.Tensor:
        array: torch.Tensor = getattr(self, name)  # early versions of torch.export do not know get_buffer
        return array

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Scaled rows in single precision, NaN where a cell is missing."""
        left_out = self._kept("left_out")
        scale = torch.where(left_out, 1.0, self._kept("scale"))
        bent = self._by_curves(rows, is_bending=True)
        missing = left_out.expand_as(rows)
        if self.has_limits:
            outside = (rows < self._kept("low")) | (rows > self._kept("high"))
            missing = missing | (outside & (rows != 0))
        for number in range(self.n_groups):
            has = (rows[:, self._kept(f"unseen_{number}")] == 1).any(dim=1, keepdim=True)
            missing = missing | (has & self._kept(f"group_{number}"))
        scaled = ((bent - self._kept("center")) / scale).to(torch.float32)
        return scaled.masked_fill(missing, torch.nan)

    def undo(self, scaled: torch.Tensor) -> torch.Tensor:
        """Raw rows in double precision."""
        center = self._kept("center")
        values = scaled.to(torch.float64) * self._kept("scale") + center
        return self._by_curves(torch.where(self._kept("left_out"), center, values), is_bending=False)

    def _by_curves(self, values: torch.Tensor, is_bending: bool) -> torch.Tensor:
        if not any(curve is not None for curve in self.curves):
            return values
        columns = [
            values[:, j] if curve is None else self._by_curve(values[:, j], j, curve, is_bending)
            for j, curve in enumerate(self.curves)
        ]
        return torch.stack(columns, dim=1)

    def _by_curve(self, column: torch.Tensor, j: int, curve: Curve, is_bending: bool) -> torch.Tensor:
        if curve.kind == "log1p":
            size = column.abs()
            grown = torch.log1p(size / curve.unit) if is_bending else torch.expm1(size) * curve.unit
            return torch.sign(column) * grown
        knots = self._kept(f"knots_{j}")
        last = knots.numel() - 1
        if is_bending:
            # Where quantiles coincide both ends of the step are met halfway.
            share = (_share(column, knots, True) + _share(column, knots, False)) / 2
            bent: torch.Tensor = torch.special.ndtri(share.clamp(EDGE, 1 - EDGE))
            return bent.masked_fill(torch.isnan(column), torch.nan)
        share = torch.special.ndtr(column)
        share = torch.where(share <= EDGE, 0.0, torch.where(share >= 1 - EDGE, 1.0, share))
        below = (share * last).floor().to(torch.int64).clamp(0, last - 1)
        first, second = knots[below], knots[below + 1]
        unbent: torch.Tensor = first + (share * last - below) * (second - first)
        return unbent


def _share(column: torch.Tensor, knots: torch.Tensor, right: bool) -> torch.Tensor:
    """Return where cells lie among knots, from 0 to 1, by linear interpolation."""
    last = knots.numel() - 1
    count = torch.searchsorted(knots, column.nan_to_num().contiguous(), right=right)
    below = (count - 1).clamp(0, last - 1)
    first, second = knots[below], knots[below + 1]
    width = torch.where(second == first, 1.0, second - first)
    share = (below + (column - first) / width) / last
    inside: torch.Tensor = torch.where(count == 0, 0.0, torch.where(count > last, 1.0, share))
    return inside


def program_bytes(model: FittedAutoencoder | FittedEnsemble) -> bytes:
    """Return a program of ``torch.export``, for any number of rows; ``autoenc.json`` in it is a description.

    ``torch.export.load(file).module()(rows)`` gives what :class:`RawAutoencoder` does.
    """
    from torch.export import Dim, export, save

    module = RawAutoencoder(model).eval()
    example = torch.zeros(2, members_of(model)[0].model.shape.input_dim, dtype=torch.float64)
    with torch.no_grad():
        program = export(module, (example,), dynamic_shapes={"rows": {0: Dim("n_rows", min=1)}})
    file = io.BytesIO()
    save(program, file, extra_files={"autoenc.json": json_text(description(model))})
    return file.getvalue()
