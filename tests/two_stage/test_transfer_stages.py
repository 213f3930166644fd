from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies

from autoenc.data.table import Table
from autoenc.engines import StopFlag, Stopped
from autoenc.two_stage.data import Target, TransferData
from autoenc.two_stage.folds import divide
from autoenc.two_stage.frozen import train_heads
from autoenc.two_stage.heads import FittedStages, Heads
from autoenc.two_stage.objective import Scores, evaluate, mean_scores, score
from autoenc.two_stage.stages import Stages, TrainingFailed
from autoenc.two_stage.thawed import HeadRecipe


def fitted_numbers(fitted: FittedStages) -> dict[str, np.ndarray]:
    """Everything that was fitted, as numbers."""
    numbers = {name: value.numpy() for name, value in fitted.autoencoder.model.state_dict().items()}
    numbers |= {f"heads.{name}": value.numpy() for name, value in fitted.heads.state_dict().items()}
    scaling = fitted.autoencoder.scaling
    return {**numbers, "center": scaling.center, "scale": scaling.scale, "units": np.array(fitted.units)}


def with_other_rows(data: TransferData, rows: np.ndarray, seed: int) -> TransferData:
    """The same data with other features and labels in these rows."""
    rng = np.random.default_rng(seed)
    values = data.table.values.copy()
    values[rows] = rng.normal(0, 100, (len(rows), values.shape[1]))
    table = Table(values, data.table.columns, data.table.path)
    targets = {}
    for kind, target in data.targets.items():
        labels = target.values.copy()
        labels[rows] = rng.integers(0, 2, len(rows)) if kind == "classification" else 1e3
        targets[kind] = Target(target.name, labels, target.classes)
    return TransferData(table, table, targets)


@given(seed=strategies.integers(0, 1000), which=strategies.integers(0, 2), unfreeze=strategies.booleans())
@settings(max_examples=6)
def test_nothing_that_is_fitted_sees_a_row_that_judges(
    seed, which, unfreeze, data, make_settings, chosen, compiled_engine
):
    options = make_settings(unfreeze=unfreeze)
    division = divide(data, 3, seed)
    fold = division.folds[which]
    unseen = np.union1d(fold.validation, division.final.validation)
    found = []
    for each in (data, with_other_rows(data, unseen, seed)):
        stages = Stages(each, options, compiled_engine)
        found.append(fitted_numbers(stages.fit(fold, chosen, stages.pretrain(fold, chosen))))
    assert found[0].keys() == found[1].keys()
    for name in found[0]:
        np.testing.assert_array_equal(found[0][name], found[1][name], err_msg=name)


def test_rows_that_are_learned_from_do_change_what_is_fitted(data, make_settings, chosen, compiled_engine):
    fold = divide(data, 3, 1).folds[0]
    found = []
    for each in (data, with_other_rows(data, fold.train[:1], 1)):
        stages = Stages(each, make_settings(), compiled_engine)
        found.append(fitted_numbers(stages.fit(fold, chosen, stages.pretrain(fold, chosen))))
    for name in ("encoder.0.weight", "heads.first.regression.weight", "scale", "units"):
        assert not np.array_equal(found[0][name], found[1][name])


@pytest.mark.parametrize("unfreeze", [False, True])
def test_only_a_thawed_encoder_is_trained_on(data, make_settings, chosen, compiled_engine, unfreeze):
    fold = divide(data, 3, 1).folds[0]
    stages = Stages(data, make_settings(unfreeze=unfreeze), compiled_engine)
    pretrained = stages.pretrain(fold, chosen)
    before = {name: value.clone() for name, value in pretrained[0].model.state_dict().items()}
    after = stages.fit(fold, chosen, pretrained).autoencoder.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert bool(changed) == unfreeze
    assert not any(name.startswith("decoder") for name in changed)
    # What stage 1 made stays as it is for the next fold.
    assert all(torch.equal(before[n], value) for n, value in pretrained[0].model.state_dict().items())


def test_a_trial_comes_to_the_same_bits_again(data, make_settings, chosen, compiled_engine):
    options, division = make_settings(), divide(data, 3, 1)
    runs = [
        evaluate(Stages(data, options, compiled_engine), data, division.folds, chosen, options)
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("separate", [False, True])
def test_folds_in_threads_come_to_the_same_bits_in_the_same_order(
    make_settings, labelled_csv, chosen, compiled_engine, separate
):
    options = make_settings(n_cv_folds=5, **({"labelled_path": str(labelled_csv)} if separate else {}))
    data = TransferData.load(options)
    folds, runs = divide(data, 5, 1).folds, []
    for n_threads in (1, 2, 7):
        seen: list[tuple[int, float]] = []
        scores = evaluate(
            Stages(data, options, compiled_engine), data, folds, chosen, options,
            lambda fold, value, seen=seen: seen.append((fold, value)), n_threads=n_threads,
        )  # fmt: skip
        runs.append((scores, seen))
    stages, expected = Stages(data, options, compiled_engine), []
    for fold in folds:
        fitted = stages.fit(fold, chosen, stages.pretrain(fold, chosen))
        expected.append(
            score(data, fold.validation, stages.outputs(fold, fitted), fitted.units, fitted.stage1_loss)
        )
    assert runs[0][0] == expected
    means = [mean_scores(expected[: i + 1]).objective(options) for i in range(5)]
    assert runs[0][1] == list(enumerate(means))
    assert runs[1] == runs[0]
    assert runs[2] == runs[0]


@pytest.mark.parametrize("separate", [False, True])
def test_every_seed_judges_every_fold(make_settings, labelled_csv, chosen, compiled_engine, separate):
    given = {"labelled_path": str(labelled_csv)} if separate else {}
    options, seen = make_settings(seed=7, seeds=3, **given), []
    data = TransferData.load(options)
    folds = divide(data, 3, 7).folds

    def judged(settings, after_fold=lambda fold, value: None):
        stages = Stages(data, settings, compiled_engine)
        return evaluate(stages, data, folds, chosen, settings, after_fold, n_threads=2)

    found = judged(options, lambda fold, value: seen.append((fold, value)))
    alone = [judged(make_settings(seed=seed, **given)) for seed in (7, 8, 9)]
    assert found == [scores for fold in zip(*alone, strict=True) for scores in fold]
    assert len({scores.stage1_loss for scores in found}) == (3 if separate else 9)
    means = [mean_scores(found[: 3 * k]).objective(options) for k in (1, 2, 3)]
    assert seen == list(enumerate(means))


def test_stage_1_is_fitted_once_where_its_rows_are_separate(
    make_settings, labelled_csv, chosen, compiled_engine, monkeypatch
):
    options = make_settings(labelled_path=str(labelled_csv))
    data = TransferData.load(options)
    stages = Stages(data, options, compiled_engine)
    fits = []
    pretrain = stages.pretrain
    monkeypatch.setattr(stages, "pretrain", lambda *given: fits.append(1) or pretrain(*given))
    scores = evaluate(stages, data, divide(data, 3, 1).folds, chosen, options)
    assert len(fits) == 1
    assert all(each.mae is not None for each in scores)


def test_a_fold_can_end_the_trial(data, make_settings, chosen, compiled_engine):
    options, seen = make_settings(), []

    def after_fold(fold: int, value: float) -> None:
        seen.append((fold, value))
        if fold == 1:
            raise KeyError("enough")

    stages, folds = Stages(data, options, compiled_engine), divide(data, 3, 1).folds
    with pytest.raises(KeyError):
        evaluate(stages, data, folds, chosen, options, after_fold)
    assert [fold for fold, _ in seen] == [0, 1]


def test_a_training_that_diverges_says_so(data, make_settings, chosen, compiled_engine):
    options, fold = make_settings(), divide(data, 3, 1).folds[0]
    wild = dataclasses.replace(
        chosen, recipe=dataclasses.replace(chosen.recipe, initial_lr=1e30, norm="none")
    )
    with pytest.raises(TrainingFailed, match="stage 1: the loss stopped being finite"):
        Stages(data, options, compiled_engine).pretrain(fold, wild)


def test_a_stop_ends_either_stage(data, make_settings, chosen, compiled_engine):
    fold, stop = divide(data, 3, 1).folds[0], StopFlag()
    stages = Stages(data, make_settings(), compiled_engine)
    pretrained = stages.pretrain(fold, chosen)
    stop.set()
    with pytest.raises(Stopped):
        stages.pretrain(fold, chosen, stop)
    with pytest.raises(Stopped):
        stages.fit(fold, chosen, pretrained, stop)


def test_heads_learn_what_can_be_learned(make_settings):
    rng = np.random.default_rng(0)
    points = rng.normal(5, 3, (200, 3)).astype(np.float32)
    number = (points[:, 0] - 5.0) / 3
    label = (points[:, 1] > 5).astype(float)
    number[::7] = np.nan
    heads = Heads(3, 16, ["regression", "classification"])
    options = make_settings(stage2_epochs=40)
    targets = {"regression": number, "classification": label}
    train_heads(heads, points, targets, HeadRecipe(0.05, 2e-2, 1e-4), options, StopFlag())
    with torch.inference_mode():
        found = {kind: output.numpy() for kind, output in heads(torch.from_numpy(points)).items()}
    assert np.nanmean(np.abs(found["regression"] - number)) < 0.15
    assert ((found["classification"] > 0) == (label == 1)).mean() > 0.95


def test_a_heavier_positive_class_is_found_more_often(make_settings):
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1, (150, 1)).astype(np.float32)
    label = (points[:, 0] + rng.normal(0, 1, 150) > 1.3).astype(float)
    share = []
    for weight in (0.2, 5.0):
        heads = Heads(1, 8, ["classification"])
        options = make_settings(positive_weight=weight, stage2_epochs=15)
        recipe = HeadRecipe(0.0, 2e-2, 1e-4)
        train_heads(heads, points, {"classification": label}, recipe, options, StopFlag())
        with torch.inference_mode():
            share.append(float((heads(torch.from_numpy(points))["classification"] > 0).float().mean()))
    assert share[0] < share[1]


def test_the_objective_is_what_it_says(make_settings):
    options = make_settings()
    both = Scores(0.5, 0.8, 0.7, 0.02)
    assert both.objective(options) == pytest.approx(1.5 * 0.5 + 2 * 0.2 + 1.5 * 0.3 + 0.1 * 0.02)
    assert both.stage2(options) == pytest.approx(1.5 * 0.5 + 2 * 0.2 + 1.5 * 0.3)
    assert Scores(0.5, None, None, 0.02).objective(options) == pytest.approx(0.752)
    assert Scores(None, 0.8, 0.7, 0.02).objective(options) == pytest.approx(0.852)
    weighted = make_settings(mae_weight=0, f1_weight=1, recall_weight=0, stage1_weight=0)
    assert both.objective(weighted) == pytest.approx(0.2)
    assert mean_scores([both, Scores(0.7, 0.6, 0.9, 0.04)]) == pytest.approx((0.6, 0.7, 0.8, 0.03))
    assert mean_scores([Scores(0.5, None, None, 0.02)] * 2) == (0.5, None, None, 0.02)


def test_scores_count_known_labels_in_units_of_the_training_rows(data):
    rows = np.arange(90)
    truth = data.targets["regression"].values
    perfect = {
        "regression": ((truth - 2) / 4 + 0.25).astype(np.float32),
        "classification": np.where(data.targets["classification"].values == 1, 3.0, -3.0),
    }
    found = score(data, rows, perfect, (2.0, 4.0), 0.5)
    assert found == (pytest.approx(0.25, rel=1e-5), 1, 1, 0.5)
    nothing = score(data, rows, {"classification": np.full(90, -1.0)}, None)
    assert nothing == (None, 0, 0, None)
