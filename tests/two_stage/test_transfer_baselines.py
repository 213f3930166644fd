"""The same heads on raw features and principal components: against NumPy, scikit-learn and the scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score

from autoenc.two_stage import baselines
from autoenc.two_stage.baselines import compare_with_baselines, representations
from autoenc.two_stage.data import Target, TransferData
from autoenc.two_stage.folds import divide
from autoenc.two_stage.objective import score
from autoenc.two_stage.stages import Stages, TrainingFailed


@pytest.fixture(scope="module")
def fitted(data, make_settings, chosen, compiled_engine):
    """A fold with what both stages say of it."""
    settings = make_settings(stage2_epochs=20)
    fold, stages = divide(data, 3, 1).final, Stages(data, settings, compiled_engine)
    model = stages.fit(fold, chosen, stages.pretrain(fold, chosen))
    outputs = stages.outputs(fold, model)
    return settings, fold, stages, outputs, score(data, fold.validation, outputs, model.units, 0.1)


def compared(data, fitted, recipe):
    settings, fold, stages, outputs, scores = fitted
    return compare_with_baselines(stages, data, fold, recipe, settings, scores, outputs)


def test_points_are_the_features_and_their_components():
    rng = np.random.default_rng(3)
    rows = (rng.normal(size=(50, 6)) * [9, 5, 3, 1, 0.1, 0]).astype(np.float32)
    rows[2, 3] = np.nan
    found = representations(rows)
    assert list(found) == ["raw features", "PCA"]
    filled = np.nan_to_num(rows)
    np.testing.assert_array_equal(found["raw features"](rows), filled)
    centred = filled - filled.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    n_kept = 1 + np.searchsorted(np.cumsum(sizes**2) / np.sum(sizes**2), 0.95)
    points = found["PCA"](rows)
    assert points.dtype == np.float32
    expected = centred @ directions[:n_kept].T
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-4)


def test_a_table_without_variance_has_no_components():
    assert list(representations(np.full((9, 3), 0.5, np.float32))) == ["raw features"]


def test_only_rows_that_stage_1_learns_from_make_them(data, fitted, chosen, monkeypatch):
    seen = []
    monkeypatch.setattr(baselines, "representations", lambda rows: seen.append(rows) or {})
    assert compared(data, fitted, chosen.heads) == {}
    _, fold, stages, *_ = fitted
    np.testing.assert_array_equal(seen[0], stages.split(fold).values[fold.pretrain])
    assert not set(fold.pretrain) & set(fold.validation)


def test_scores_are_those_of_scikit_learn(data, fitted, chosen):
    settings, fold, stages, _, scores = fitted
    found = compared(data, fitted, chosen.heads)
    assert found == compared(data, fitted, chosen.heads)
    for name, transform in representations(stages.split(fold).values[fold.pretrain]).items():
        rows = stages.scaled_labelled(fold)
        heads, units = stages.fit_heads(fold, transform(rows[fold.train]), chosen.heads)
        outputs = heads.outputs(transform(rows[fold.validation]))
        number = data.targets["regression"].values[fold.validation]
        told = outputs["regression"] * units[1] + units[0]
        assert found[name].scores.mae == pytest.approx(np.nanmean(np.abs(told - number)) / units[1], rel=1e-5)
        kind = data.targets["classification"].values[fold.validation]
        known = ~np.isnan(kind)
        both = kind[known], outputs["classification"][known] >= 0
        assert found[name].scores.f1 == pytest.approx(f1_score(*both, zero_division=0))
        assert found[name].scores.recall == pytest.approx(recall_score(*both, zero_division=0))
        above = found[name].scores.stage2(settings) - scores.stage2(settings)
        assert found[name].above == pytest.approx(above)
        low, high = found[name].interval
        assert low <= above <= high


def test_heads_that_come_to_nothing_are_left_out(data, fitted, chosen, monkeypatch):
    def failing(*given):
        raise TrainingFailed("stage 2: the heads stopped being finite")

    monkeypatch.setattr(Stages, "fit_heads", failing)
    assert compared(data, fitted, chosen.heads) == {}


labels = st.lists(
    st.tuples(
        st.sampled_from([np.nan, -1.0, 0.0, 2.5]), st.sampled_from([np.nan, 0.0, 1.0]),
        st.floats(-3, 3, width=32), st.sampled_from([-1.0, 1.0]),
    ), min_size=1, max_size=12,
)  # fmt: skip


@given(labels, st.sampled_from([{}, {"regression_target": ""}, {"classification_target": ""}]))
def test_sums_over_rows_come_to_the_scores(data, make_settings, rows, left_out):
    settings = make_settings(**left_out)
    number, kind, guess, odds = (np.array(column) for column in zip(*rows, strict=True))
    both = {"regression": Target("score", number), "classification": Target("kind", kind, (1.0, 2.0))}
    wanted = {name: both[name] for name in settings.targets}
    if not all(target.known.any() for target in wanted.values()):
        return
    labelled = TransferData(data.table, data.table, wanted)
    outputs = {name: {"regression": guess, "classification": odds}[name] for name in wanted}
    every, units = np.arange(len(rows)), (0.5, 2.0)
    counts = baselines._counts(labelled, every, units, outputs)
    total = baselines._stage2([each.sum() for each in counts], settings)
    assert total == pytest.approx(score(labelled, every, outputs, units).stage2(settings))


def test_the_same_predictions_differ_by_nothing(data, fitted):
    settings, fold, _, outputs, _ = fitted
    units = (5.0, 2.0)
    assert baselines._interval(data, fold.validation, units, settings, (outputs, outputs)) == (0, 0)
