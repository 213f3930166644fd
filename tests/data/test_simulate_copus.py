"""The simulated table: the committed bytes, and what was promised about them."""

from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd
import pytest

from autoenc.data.read import COPUS_COLUMNS


@pytest.fixture(scope="module")
def script(root):
    spec = importlib.util.spec_from_file_location("simulate_copus", root / "data" / "simulate_copus.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def simulated(script) -> pd.DataFrame:
    return script.simulate()


@pytest.fixture(scope="module")
def features(simulated) -> pd.DataFrame:
    return simulated[list(COPUS_COLUMNS)]


def test_the_script_makes_the_committed_bytes_again(script, root, tmp_path, capsys):
    script.main(["--output", str(tmp_path / "again.csv")])
    assert (tmp_path / "again.csv").read_bytes() == (root / "data" / "stains.csv").read_bytes()
    assert "2008 simulated classes" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["again.csv"]


def test_another_seed_makes_another_table_of_the_same_form(script, simulated):
    other = script.simulate(7)
    assert list(other.columns) == list(simulated.columns)
    assert other.shape == simulated.shape
    assert not other.equals(simulated)


def test_columns_are_the_24_behaviours_and_three_labels(simulated):
    assert list(simulated.columns) == [*COPUS_COLUMNS, "profile", "student_centred", "rtop"]


def test_rows_and_shares_of_the_groups(simulated):
    assert len(simulated) == 2008
    counts = simulated["profile"].value_counts()
    assert sorted(counts.index) == [1, 2, 3, 4, 5, 6, 7]
    groups = {(1, 2): (1104, 0.55), (3, 4): (542, 0.27), (5, 6, 7): (362, 0.18)}
    for profiles, (count, share) in groups.items():
        assert counts[list(profiles)].sum() == count
        assert abs(count - share * 2008) < 1


def test_student_centred_is_what_the_profile_says(simulated):
    assert (simulated["student_centred"] == (simulated["profile"] >= 5)).all()


def test_every_row_is_made_of_fractions_of_20_to_45_intervals(features):
    values = features.to_numpy()
    lengths = np.arange(20, 46)
    counts = values[:, :, None] * lengths
    whole = np.isnan(counts) | (np.abs(counts - np.round(counts)) < 5e-7 * lengths + 1e-9)
    assert whole.all(axis=1).any(axis=1).all()
    assert (np.isnan(values) | ((values >= 0) & (values <= 1))).all()


def test_share_of_zeros_and_of_missing_cells(features):
    assert 0.5 < (features == 0).to_numpy().mean() < 0.75
    assert 0.003 < features.isna().to_numpy().mean() < 0.007
    assert (features.isna().sum() < 40).all()


def test_no_row_is_there_twice_and_no_column_is_constant(features):
    assert not features.duplicated().any()
    assert (features.nunique() > 10).all()


def test_rtop_is_between_0_and_100_and_sometimes_missing(simulated):
    rtop = simulated["rtop"]
    assert rtop.dropna().between(0, 100).all()
    assert 0.04 < rtop.isna().mean() < 0.12
    student_centred = simulated.groupby("student_centred")["rtop"].mean()
    assert student_centred[1] > student_centred[0] + 10


def test_behaviours_go_together_as_the_profiles_imply(simulated):
    correlation = simulated[list(COPUS_COLUMNS)].corr()
    for one, other, least in (("L", "Lec", 0.6), ("CG", "CQ", 0.6), ("WG", "MG", 0.4), ("OG", "MG", 0.3)):
        assert correlation.loc[one, other] > least
    means = simulated.groupby(simulated["profile"] >= 5)[["Lec", "WG", "OG"]].mean()
    assert means.loc[False, "Lec"] > means.loc[True, "Lec"]
    assert means.loc[True, "WG"] > means.loc[False, "WG"]


def test_the_readme_says_that_the_data_are_simulated(root):
    text = (root / "data" / "README.md").read_text().lower()
    assert "simulated" in text.splitlines()[0]
    assert "no class was observed" in text
