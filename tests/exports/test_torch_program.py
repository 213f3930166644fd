"""A torch.export program gives the latents and reconstructions of the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from autoenc.exports.torch_module import RawAutoencoder

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),  # rows far outside, on purpose
    pytest.mark.filterwarnings("ignore:You are using `torch.load`:FutureWarning"),  # torch.export.load of 2.4
]


def test_the_module_gives_the_same(model: Any, rows: np.ndarray) -> None:
    with torch.no_grad():
        latent, reconstruction = RawAutoencoder(model)(torch.from_numpy(rows))
    assert_allclose(latent, model.encode(rows), atol=1e-6)
    assert_allclose(reconstruction, model.reconstruct(rows), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["model of numbers", "model of categories", "ensemble"])
def test_a_program_gives_the_same(
    kind: str, mixed: Any, ensemble: Any, rows: np.ndarray, tmp_path: Path, odd_table: Any
) -> None:
    import autoenc

    exported, cells = {
        "model of numbers": lambda: (
            autoenc.Autoencoder((8,), 2, epochs=2, scaling="auto").fit(odd_table).model_, rows
        ),
        "model of categories": lambda: mixed,
        "ensemble": lambda: (ensemble, rows),
    }[kind]()  # fmt: skip
    exported.export(tmp_path / "model.pt2")
    notes = {"autoenc.json": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=notes).module()
    for n in (len(cells), 1):
        answer = program(torch.from_numpy(cells[:n]))
        if kind != "ensemble":
            assert_allclose(answer[0].detach(), exported.encode(cells[:n]), atol=1e-6)
            answer = answer[1]
        assert_allclose(answer.detach(), exported.reconstruct(cells[:n]), rtol=1e-6, atol=1e-6)
    assert json.loads(notes["autoenc.json"])["columns"] == exported.columns
