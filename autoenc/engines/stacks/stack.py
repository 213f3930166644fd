"""One stack of models: what is on the device, and what of a model comes back from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.engines.contract import StopFlag
from autoenc.engines.fit import Fit, State
from autoenc.engines.split import Split
from autoenc.engines.stacks.batches import Batches, grouped
from autoenc.engines.stacks.losses import losses_of, measured_sums
from autoenc.engines.stacks.network import StackNetwork
from autoenc.engines.stacks.places import Place
from autoenc.engines.stacks.step import Steps
from autoenc.engines.stacks.tables import DeviceTables

__all__ = ["Loaded", "Stack", "Standing"]


@dataclass
class Standing:
    """Where the training of a fit stands.

    Attributes:
        state: Its parameters.
        moments: AdamW's first and second; None before the first step.
        kept: Parameters that were put aside; None where there are none.
    """

    state: State
    moments: tuple[State, State] | None = None
    kept: State | None = None


class _Rows(NamedTuple):
    """A part of the splits of some models.

    Attributes:
        rows: Rows of each split in use, ``[n_splits, n]``.
        split: Each model's split; None where there is one.
        counts: int64 ``[n_models or 1, 2]``: cells, observed and not zero.
    """

    rows: torch.Tensor
    split: torch.Tensor | None
    counts: NDArray[np.int64]


class Loaded:
    """Networks with parameters, for reconstructions and losses.

    Args:
        fits: One a model; of one depth, activation and norms.
        splits: Of each.
        states: Of each.
        tables: The rows.
        place: Where it is computed.
        dtype: Precision.
    """

    def __init__(
        self, fits: Sequence[Fit], splits: Sequence[Split], states: Sequence[State], tables: DeviceTables,
        place: Place, dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self._splits, self._rows = splits, dict[str, _Rows]()
        self.fits, self.tables, self.place, self.dtype = list(fits), tables, place, dtype
        networks = [fit.network(tables.values.shape[1]) for fit in fits]
        self.network = StackNetwork(networks, fits[0].recipe.activation, place.device, dtype)
        self.flat = self.on_device(self.network.pack(states))
        means = self.network.means(states)
        self.means = None if means is None else self.on_device(means)

    def on_device(self, values: NDArray[np.floating]) -> torch.Tensor:
        """Return an array on the device, in the precision of the parameters."""
        return torch.from_numpy(values).to(self.place.device, self.dtype, copy=True)

    def losses(self, part: Literal["train", "test"]) -> NDArray[np.float64]:
        """Return the loss of each model over a part of its split, without dropout, ``[n_models]``."""
        if part not in self._rows:
            self._rows[part] = self._rows_of(part)
        rows, split, counts = self._rows[part]
        sums = measured_sums(self.network, self.flat, self.means, self.tables.values, rows, split)
        return losses_of([fit.recipe for fit in self.fits], sums, counts)

    def _rows_of(self, part: Literal["train", "test"]) -> _Rows:
        first, index = grouped([id(split) for split in self._splits])
        own = [getattr(self._splits[i], part) for i in first]
        rows = np.full((len(own), max(one.size for one in own)), self.tables.nothing)
        for n, (i, one) in enumerate(zip(first, own, strict=True)):
            rows[n, : one.size] = self.tables.rows(self._splits[i], one)
        device, counts = self.place.device, self.tables.counts[rows].sum(axis=1)
        if index is None:
            return _Rows(torch.from_numpy(rows).to(device), None, counts)
        return _Rows(torch.from_numpy(rows).to(device), torch.from_numpy(index).to(device), counts[index])

    @torch.no_grad()
    def reconstruct(self, rows: NDArray[np.int64]) -> NDArray[np.floating]:
        """Return scaled reconstructions of rows of its split by the first model, ``[rows, columns]``."""
        at = torch.from_numpy(self.tables.rows(self._splits[0], rows)).to(self.place.device)
        x = self.tables.values[at][None]
        missing = torch.isnan(x)
        made = self.network.forward(self.flat, self.means, x.masked_fill(missing, 0), missing, None)
        reconstruction: NDArray[np.floating] = made[0].cpu().numpy()
        return reconstruction


class Stack:
    """Models of one depth that train together.

    Args:
        fits: One a model.
        splits: Of each.
        standings: Where each begins or goes on.
        tables: All rows of the splits.
        place: Where it trains.
        dtype: Precision.
    """

    def __init__(
        self, fits: Sequence[Fit], splits: Sequence[Split], standings: Sequence[Standing],
        tables: DeviceTables, place: Place, dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self._starts = [standing.state for standing in standings]
        self._now = Loaded(fits, splits, self._starts, tables, place, dtype)
        network, self._flat = self._now.network, self._now.flat
        self._kept = self._flat.clone()
        self._moments = torch.zeros_like(self._flat), torch.zeros_like(self._flat)
        for i, standing in enumerate(standings):
            if standing.kept is not None:
                self._write(self._kept, i, standing.kept)
            for moment, state in zip(self._moments, standing.moments or (), strict=False):
                self._write(moment, i, state)
        batches = Batches(fits, splits, tables)
        self._steps = Steps(
            self._now.fits, network, batches, tables, self._flat, self._moments, self._now.means, place
        )

    def _write(self, flat: torch.Tensor, i: int, state: State) -> None:
        flat[i] = self._now.on_device(self._now.network.pack_one(state, i))

    def launch(self, epoch: int, stop: StopFlag) -> None:
        """Train an epoch; see :meth:`Steps.launch`."""
        self._steps.launch(epoch, stop)

    def train_losses(self) -> NDArray[np.float64]:
        """Return the training losses of the last epoch as they were met, ``[n_models]``."""
        return self._steps.losses()

    def test_losses(self) -> NDArray[np.float64]:
        """Return the test loss of each model as it stands, ``[n_models]``."""
        return self._now.losses("test")

    def keep(self, models: Sequence[int]) -> None:
        """Put the parameters of some models aside as they stand."""
        if models:
            index = torch.tensor(models, device=self._flat.device)
            self._kept.index_copy_(0, index, self._flat.index_select(0, index))

    def state(self, i: int, kept: bool) -> State:
        """Return the parameters of a model, as they stand or as they were put aside."""
        return self._read(self._kept if kept else self._flat, i)

    def standing(self, i: int) -> Standing:
        """Return where a model stands, to go on in another stack."""
        first, second = (self._read(moment, i) for moment in self._moments)
        return Standing(self.state(i, kept=False), (first, second), self.state(i, kept=True))

    def _read(self, flat: torch.Tensor, i: int) -> State:
        row = flat[i].cpu().numpy()
        state, mean = self._now.network.unpack(row, i), self._starts[i].get("mean")
        return state if mean is None else state | {"mean": mean.astype(row.dtype)}  # which is not learned
