"""A model card says what is known of a model, and names in it stay text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import autoenc
from autoenc.exports.quality import quality_of


def test_it_has_data_recipe_quality_and_limits(model: Any, odd_table: pd.DataFrame) -> None:
    card = model.card(odd_table)
    for heading in ("# Autoencoder 16-8, latent size 2", "## Data", "## Recipe", "## Quality", "## Limits"):
        assert f"{heading}\n" in card
    for word in ("It learned from 120 rows", "| epochs | 4 |", "Measured on 120 rows"):
        assert word in card
    assert f"Columns are scaled by {model.scaling.kind}" in card
    assert "| scaling |  |" not in card
    rows = [line for line in card.splitlines() if line.startswith("| tail |")]
    assert len(rows) == 2  # its range, and its quality
    assert "was not measured" in model.card()


def test_ensembles_have_one_too(ensemble: Any, odd_table: pd.DataFrame) -> None:
    card = ensemble.card(odd_table)
    assert "# Ensemble of 2 autoencoders\n" in card
    assert "| option | member 0 | member 1 |" in card
    assert "latent spaces of their own" in card


def test_the_quality_is_in_the_columns_own_units() -> None:
    cells = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, np.nan], [np.nan, 5.0, np.nan], [5.0, 5.0, np.nan]])
    quality = quality_of(["a", "b", "c"], cells, np.full((4, 3), 3.0))
    a, b, c = quality.columns
    assert (a.missing, a.explained, a.error) == (0.25, 0.0, pytest.approx(np.sqrt(8 / 3)))
    assert (b.explained, b.error, b.deviation) == (None, 2.0, 0.0)
    assert (c.missing, c.error) == (1.0, None)
    assert quality.explained == 0.0


def test_names_of_other_people_stay_text() -> None:
    names = ["<script>alert(1)</script>", "a|b", "`x`\n# heading", "[link](http://evil)"]
    rows = pd.DataFrame(np.random.default_rng(0).random((30, 4)), columns=names)
    card = autoenc.Autoencoder((4,), 2, epochs=1).fit(rows).model_.card(rows)
    assert "<script>" not in card
    assert "\\<script\\>" in card
    assert "a\\|b" in card
    assert "\\`x\\`\\\\n\\# heading" in card
    assert "](http" not in card
    assert [line for line in card.splitlines() if line.startswith("# ")] == ["# Autoencoder 4, latent size 2"]
