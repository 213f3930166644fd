"""Networks of one depth along a model axis, each layer padded to the widest of its place.

All parameters of a stack stand in one matrix ``[n_models, n_parameters]``. Where a network is narrower, zeros
stand in for weights, biases and norms. They stay zero: what leaves a padded unit is zero, so no gradient
enters it, and norms count over the true widths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from autoenc.engines.fit import State
from autoenc.engines.recipe import Activation
from autoenc.engines.stacks.padded_norm import PaddedNorm
from autoenc.engines.stacks.shapes import Layer, layers_of, padded_shapes
from autoenc.models.grid import LayerShape, NetworkShape
from autoenc.models.network import NORM_EPS

__all__ = ["Draw", "StackNetwork", "by_model"]

Draw = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Takes means and log variances; returns latent points."""

Matrix = NDArray[np.floating]

_ACTIVATIONS: dict[Activation, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "tanh": torch.tanh,
}


def by_model(values: torch.Tensor, index: torch.Tensor | None) -> torch.Tensor:
    """Return for each model what its group has.

    Args:
        values: ``[n_groups, ...]``.
        index: ``[n_models]``, each model's group; None where there is one group, which broadcasts.
    """
    return values if index is None else values.index_select(0, index)


class StackNetwork:
    """What is computed with the parameters of a stack, without holding them.

    Args:
        networks: Of one depth, with the same input size and norms.
        activation: Of the hidden layers.
        device: Where it is computed.
        dtype: Precision.
    """

    def __init__(
        self, networks: Sequence[NetworkShape], activation: Activation, device: torch.device,
        dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self.networks, self.layers = list(networks), layers_of(networks)
        self.latent_dim = max(network.latent_dim for network in networks)
        self.variational = any(network.variational for network in networks)
        self.shapes = padded_shapes(networks)
        self.sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        self._activate = _ACTIVATIONS[activation]
        self._middle = len(self.layers) // 2
        has_line = [network.linear_path for network in networks]
        has_mask = [network.input_mask for network in networks]
        self._has_line, self._has_mask = any(has_line), any(has_mask)

        def switch(is_on: list[bool]) -> torch.Tensor | None:
            values = [[[float(on)]] for on in is_on]
            return None if len(set(is_on)) == 1 else torch.tensor(values, device=device, dtype=dtype)

        self._line, self._mask = switch(has_line), switch(has_mask)
        self._norms: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        for layer in self.layers:
            if layer.norm and layer.widths is not None:
                widths = torch.tensor(layer.widths, device=device)[:, None, None]
                units = torch.arange(layer.n_out, device=device)[None, None, :]
                is_true = (units < widths).to(dtype)
                self._norms[layer.name] = is_true, (is_true / widths).transpose(1, 2)

    def pack(self, states: Sequence[State]) -> Matrix:
        """Return the states of all networks as one matrix, ``[n_models, n_parameters]``, float64."""
        return np.stack([self.pack_one(state, i) for i, state in enumerate(states)])

    def pack_one(self, state: State, i: int) -> Matrix:
        """Return a state of network ``i`` as its row of the matrix, ``[n_parameters]``, float64."""
        row = np.zeros(sum(self.sizes))
        for name, views in self._views(row, self.networks[i]).items():
            parts = np.split(state[name], np.cumsum([len(view) for view in views])[:-1])
            for view, part in zip(views, parts, strict=True):
                view[...] = part
        return row

    def unpack(self, row: Matrix, i: int) -> State:
        """Return the state of network ``i``, whose row of the matrix this is; without its ``mean``."""
        views = self._views(row, self.networks[i])
        return {name: np.concatenate(parts) for name, parts in views.items()}

    def means(self, states: Sequence[State]) -> Matrix | None:
        """Return what the linear maps take a missing cell for, ``[n_models, 1, columns]``, or None."""
        if not self._has_line:
            return None
        nothing = np.zeros(self.networks[0].input_dim)
        return np.stack([state.get("mean", nothing) for state in states])[:, None, :].astype(np.float64)

    def _views(self, row: Matrix, network: NetworkShape) -> dict[str, list[Matrix]]:
        """Each parameter by its state-dict name, as views into a row that follow each other."""
        starts = np.cumsum([0, *self.sizes])
        own = {
            name: row[start:end].reshape(shape)
            for (name, shape), (start, end) in zip(self.shapes.items(), pairwise(starts), strict=True)
        }
        views: dict[str, list[Matrix]] = {}
        if network.normalizes_input:
            views["input_norm.weight"], views["input_norm.bias"] = [own["input.gain"]], [own["input.shift"]]
        for i, (layer, true) in enumerate(zip(self.layers, network.layers(), strict=True)):
            halves = self._halves(i, network, true)
            weight, bias = own[f"{layer.name}.weight"], own[f"{layer.name}.bias"]
            views[f"{true.linear}.weight"] = [weight[: true.n_in, half].T for half in halves]
            views[f"{true.linear}.bias"] = [bias[half] for half in halves]
            if true.norm:
                views[f"{true.norm}.weight"] = [own[f"{layer.name}.gain"][: true.n_out]]
                views[f"{true.norm}.bias"] = [own[f"{layer.name}.shift"][: true.n_out]]
        if network.input_mask:
            views["encoder_mask.weight"] = [own["encoder mask"][:, : network.layers()[0].n_out].T]
        if network.linear_path:
            halves = self._halves(self._middle - 1, network, network.layers()[self._middle - 1])
            views["encoder_line.weight"] = [own["encoder line"][:, half].T for half in halves]
            views["decoder_line.weight"] = [own["decoder line"][: network.latent_dim].T]
        return views

    def _halves(self, i: int, network: NetworkShape, true: LayerShape) -> list[slice]:
        """Which units of layer ``i`` are a network's; a variational encoder ends in two places."""
        if i != self._middle - 1:
            return [slice(true.n_out)]
        at = (0, self.latent_dim) if network.variational else (0,)
        return [slice(start, start + network.latent_dim) for start in at]

    def forward(
        self,
        flat: torch.Tensor,
        means: torch.Tensor | None,
        x: torch.Tensor,
        missing: torch.Tensor,
        index: torch.Tensor | None,
        keep: Sequence[torch.Tensor] = (),
        draw: Draw | None = None,
    ) -> torch.Tensor:
        """Reconstruct rows with every network.

        Args:
            flat: The parameters, ``[n_models, n_parameters]``.
            means: See :meth:`means`.
            x: ``[n_groups, rows, columns]``, 0 where a cell is missing.
            missing: Which cells are, bool of the same shape.
            index: Each model's group; None where there is one.
            keep: For each hidden layer what its units are multiplied by, which broadcasts to
                ``[n_models, rows, width]``; empty without dropout.
            draw: How latent points are drawn; None for the means.

        Returns:
            ``[n_models, rows, columns]``.
        """
        p = dict(zip(self.shapes, flat.split(self.sizes, dim=1), strict=True))
        p = {name: value.view(len(flat), *self.shapes[name]) for name, value in p.items()}
        h = self._input(p, x, index, len(flat))
        masks = iter(keep)
        beside = None
        if self._has_mask:
            is_missing = by_model(missing, index).to(x.dtype).expand(len(flat), -1, -1)
            beside = _switched(torch.bmm(is_missing, p["encoder mask"]), self._mask)
        for layer in self.layers[: self._middle]:
            h, beside = self._through(p, layer, h, masks, beside), None
        if self._has_line:
            assert means is not None
            filled = by_model(x, index) - means * ~by_model(missing, index)
            h = h + _switched(torch.bmm(filled, p["encoder line"]), self._line)
        latent = h[:, :, : self.latent_dim]
        if draw is not None:
            latent = draw(latent, h[:, :, self.latent_dim :])
        h = latent
        for layer in self.layers[self._middle :]:
            h = self._through(p, layer, h, masks)
        if not self._has_line:
            return h
        return h + _switched(torch.bmm(latent, p["decoder line"]), self._line)

    def _input(
        self, p: dict[str, torch.Tensor], x: torch.Tensor, index: torch.Tensor | None, n_models: int
    ) -> torch.Tensor:
        if not self.networks[0].normalizes_input:
            return by_model(x, index).expand(n_models, -1, -1)
        h = by_model(functional.layer_norm(x, x.shape[-1:], eps=NORM_EPS), index)
        return h * p["input.gain"].unsqueeze(1) + p["input.shift"].unsqueeze(1)

    def _through(
        self, p: dict[str, torch.Tensor], layer: Layer, h: torch.Tensor, masks: Iterator[torch.Tensor],
        beside: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """A layer with all that follows it; ``beside`` is added behind its linear map."""
        h = torch.baddbmm(p[f"{layer.name}.bias"].unsqueeze(1), h, p[f"{layer.name}.weight"])
        if beside is not None:
            h = h + beside
        if layer.norm:
            h = self._normalized(p, layer, h)
        if not layer.hidden:
            return h
        h = self._activate(h)
        mask = next(masks, None)
        return h if mask is None else h * mask

    def _normalized(self, p: dict[str, torch.Tensor], layer: Layer, h: torch.Tensor) -> torch.Tensor:
        """LayerNorm over the true width of each network."""
        gain, shift = (p[f"{layer.name}.{part}"].unsqueeze(1) for part in ("gain", "shift"))
        if layer.name not in self._norms:
            return functional.layer_norm(h, h.shape[-1:], eps=NORM_EPS) * gain + shift
        normalized: torch.Tensor = PaddedNorm.apply(h, gain, shift, *self._norms[layer.name])  # type: ignore[no-untyped-call]
        return normalized


def _switched(product: torch.Tensor, switch: torch.Tensor | None) -> torch.Tensor:
    """What a linear map adds, for the networks that have one."""
    return product if switch is None else product * switch
