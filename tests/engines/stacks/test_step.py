"""What a step may not do if a GPU is to repeat it by itself: ask for a value, or use what is elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from autoenc.engines import Fit, Recipe, StopFlag
from autoenc.engines.pca_start import start_of
from autoenc.engines.stacks.places import CPU
from autoenc.engines.stacks.stack import Stack, Standing
from autoenc.engines.stacks.tables import DeviceTables

BASE = Recipe(epochs=2, batch_size=8)
MIXES = {
    "defaults": [BASE],
    "variational": [BASE, replace(BASE, family="vae")],
    "denoising": [replace(BASE, family="dae", corruption=0.3, dropout=0.0)],
    "from PCA": [BASE, replace(BASE, start="pca", missing="mask")],
    "epochs of different length": [BASE, replace(BASE, batch_size=4, dropout=0.3)],
}


class Elsewhere(CPU):
    """A device whose tensors have no values, and go together with no tensors of the processor."""

    def __init__(self) -> None:
        super().__init__()
        self.device = torch.device("meta")


@pytest.mark.parametrize("recipes", MIXES.values(), ids=MIXES)
def test_an_epoch_is_launched_without_a_value_or_a_tensor_of_the_processor(make_split, recipes):
    place, splits = Elsewhere(), [make_split(), make_split(n_rows=31, seed=3)]
    fits, own = [], []
    for i, recipe in enumerate(recipes * 3):
        fits.append(Fit((9 - i, 5), 2, recipe, seed=i % 2))
        own.append(splits[i % 2])
    starts = [Standing(start_of(split, fit)) for split, fit in zip(own, fits, strict=True)]
    tables = DeviceTables(splits, place.device, torch.float32)
    stack = Stack(fits, own, starts, tables, place, torch.float32)
    stack.launch(0, StopFlag())
    stack.launch(1, StopFlag())
    with pytest.raises(NotImplementedError, match="meta"):  # which is where the processor waits
        stack.train_losses()
