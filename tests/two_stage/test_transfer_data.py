from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autoenc import load_model
from autoenc.errors import InputError
from autoenc.two_stage.checkpoint import FittedTransfer, save_transfer
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.folds import divide
from autoenc.two_stage.record import transfer_context
from autoenc.two_stage.stages import Stages


def test_targets_are_no_features(data, labelled_frame):
    assert data.table.columns == list("abcde")
    assert data.shared
    assert data.targets["classification"].classes == (1, 2)
    np.testing.assert_allclose(data.targets["regression"].values, labelled_frame.score, rtol=1e-6)
    np.testing.assert_array_equal(data.targets["classification"].values, labelled_frame.kind - 1)
    without = labelled_frame.score.isna() & labelled_frame.kind.isna()
    np.testing.assert_array_equal(data.any_label, np.flatnonzero(~without))


KINDS = {
    "numbers": ((1.0, 2.0), (1.0, 2.0), None),
    "the lower number": ((1.0, 2.0), (2.0, 1.0), "1"),
    "words": (("lecture", "group work"), ("group work", "lecture"), None),
    "the earlier word": (("lecture", "group work"), ("lecture", "group work"), "group work"),
    "words of any case": (("no", "Yes"), ("no", "Yes"), None),
    "truth": ((True, False), (False, True), None),
    "no truth": ((True, False), (True, False), "FALSE"),
    "large numbers": ((1234567, 1234568), (1234568, 1234567), "1234567"),
    "fractions": ((0.1234567, 0.1234568), (0.1234567, 0.1234568), "0.1234568"),
    "another way to write it": ((1.0, 2.0), (2, 1), "1e0"),
    "numbers as words": (("1", "x"), ("1", "x"), None),
}


@pytest.mark.parametrize(("written", "classes", "positive"), KINDS.values(), ids=KINDS)
def test_a_class_is_called_what_the_table_calls_it(
    make_settings, labelled_frame, tmp_path, written, classes, positive
):
    kinds = labelled_frame.kind.map({1.0: written[0], 2.0: written[1]}).astype(object)
    path = tmp_path / "named.csv"
    labelled_frame.assign(kind=kinds).to_csv(path, index=False)
    data = TransferData.load(make_settings(data_path=str(path), positive_class=positive))
    target = data.targets["classification"]
    assert target.classes == classes
    assert data.table.columns == list("abcde")
    assert not data.table.warnings
    known = labelled_frame.kind.notna()
    np.testing.assert_array_equal(target.known, known)
    positives = kinds[known].astype(type(classes[1])) == classes[1]
    np.testing.assert_array_equal(target.values[known], positives.astype(float))


def test_a_whole_column_of_truth_values(make_settings, labelled_frame, tmp_path):
    path = tmp_path / "truth.csv"
    labelled_frame.assign(kind=labelled_frame.kind.fillna(1.0) == 2.0).to_csv(path, index=False)
    target = TransferData.load(make_settings(data_path=str(path))).targets["classification"]
    assert target.classes == (False, True)
    np.testing.assert_array_equal(target.values, labelled_frame.kind == 2.0)


STORED = {
    "text that looks like numbers": (["0", "1"], pd.Series, ("0", "1")),
    "categories": (["low", "high"], lambda v: pd.Series(v, dtype="category"), ("high", "low")),
    "categories of numbers": ([1, 2], lambda v: pd.Series(v).astype("category"), (1, 2)),
    "truth values": ([True, False], lambda v: pd.Series(v, dtype="boolean"), (False, True)),
    "whole numbers": ([4, 3], lambda v: pd.Series(v, dtype="Int64"), (3, 4)),
    "numbers past doubles": ([2**53 + 1, 2**53 + 3], pd.Series, (2**53 + 1, 2**53 + 3)),
    "numbers past int64": (
        [2**64 - 1, 2**64 - 5], lambda v: pd.Series(v, dtype="uint64"), (2**64 - 5, 2**64 - 1)
    ),
    "large doubles": ([1e20, 2e20], pd.Series, (1e20, 2e20)),
}  # fmt: skip


@pytest.mark.parametrize(("values", "column", "classes"), STORED.values(), ids=STORED)
def test_a_stored_column_keeps_its_kind(
    make_settings, labelled_frame, tmp_path, chosen, compiled_engine, values, column, classes
):
    """From the table through the model file to predictions, which can be compared with the table."""
    path = tmp_path / "rows.parquet"
    frame = labelled_frame.assign(kind=column((values * 45)[:90]))
    frame.to_parquet(path)
    settings = make_settings(data_path=str(path), regression_target="")
    data = TransferData.load(settings)
    target = data.targets["classification"]
    assert (target.classes, [type(one) for one in target.classes]) == (classes, [type(classes[0])] * 2)
    fold, stages = divide(data, 3, 1).final, Stages(data, settings, compiled_engine)
    fitted = stages.fit(fold, chosen, stages.pretrain(fold, chosen))
    save_transfer(tmp_path / "m.pth", FittedTransfer(fitted, settings.targets, target.classes, {}))
    found = load_model(tmp_path / "m.pth").predict(frame)
    as_table = (found.kind == frame.kind).to_numpy(bool)
    as_learned = (found.kind_probability >= 0.5).to_numpy() == (target.values == 1)
    np.testing.assert_array_equal(as_table, as_learned)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            [pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01")],
            "must hold numbers, words or truth values",
        ),
        ([[1], [2]], "got cells of type"),
        ([b"a", b"b"], "got cells of type bytes"),
    ],
)
def test_cells_that_are_no_classes_are_refused(make_settings, labelled_frame, tmp_path, cells, told):
    path = tmp_path / "rows.parquet"
    labelled_frame.assign(kind=pd.Series((cells * 45)[:90])).to_parquet(path)
    with pytest.raises(InputError, match=told):
        TransferData.load(make_settings(data_path=str(path)))


def test_dates_are_no_numbers(make_settings, labelled_frame, tmp_path):
    path = tmp_path / "rows.parquet"
    labelled_frame.assign(score=pd.Timestamp("2020-01-01")).to_parquet(path)
    with pytest.raises(InputError, match=r"--regression_target: .*'score' holds dates or durations"):
        TransferData.load(make_settings(data_path=str(path)))


def test_words_that_are_read_as_missing_are_told(make_settings, labelled_frame, tmp_path):
    path = tmp_path / "severity.csv"
    words = np.array(["None", "mild", "severe"])[np.arange(90) % 3]
    labelled_frame.assign(kind=words).to_csv(path, index=False)
    data = TransferData.load(make_settings(data_path=str(path)))
    told = "'kind': read as missing: None (30 rows); if that is a class, call it something else"
    assert data.table.warnings == [told]
    labelled_frame.assign(kind=np.where(words == "severe", "mild", words)).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"got 1: 'mild' \(60 rows\); read as missing: None \(30 rows\)"):
        TransferData.load(make_settings(data_path=str(path)))
    labelled_frame.assign(kind=labelled_frame.kind.map({1: "no", 2: "yes"})).to_csv(path, index=False)
    assert TransferData.load(make_settings(data_path=str(path))).table.warnings == []


def test_predictions_need_a_column_of_their_own(make_settings):
    with pytest.raises(InputError, match="--regression_target must not be 'kind_probability'"):
        make_settings(regression_target="kind_probability")


def test_the_class_to_be_found_is_one_of_the_two(make_settings):
    with pytest.raises(InputError, match="'kind': --positive_class must be one of 1, 2, got '3'"):
        TransferData.load(make_settings(positive_class="3"))
    with pytest.raises(InputError, match="--positive_class needs a --classification_target"):
        make_settings(positive_class="1", classification_target="")


def test_one_target_alone_keeps_the_other_column_a_feature_of_its_own(make_settings):
    alone = TransferData.load(make_settings(classification_target="", columns="a,b"))
    assert list(alone.targets) == ["regression"]


def test_the_shipped_data_work_as_they_are(root, make_settings):
    options = {"regression_target": "rtop", "classification_target": "student_centred"}
    shipped = TransferData.load(make_settings(data_path=str(root / "data" / "stains.csv"), **options))
    assert shipped.table.values.shape == (2008, 24)
    assert shipped.any_label.size == 2008


def test_the_fingerprint_knows_every_label(make_settings, labelled_frame, tmp_path):
    found = set()
    for i, change in enumerate([{}, {"score": 1.0}, {"kind": 1.0}, {"a": 0.123}]):
        path = tmp_path / f"{i}.csv"
        labelled_frame.assign(**{name: labelled_frame[name].where(labelled_frame.index != 5, value)
                                 for name, value in change.items()}).to_csv(path, index=False)  # fmt: skip
        found.add(TransferData.load(make_settings(data_path=str(path))).fingerprint)
    assert len(found) == 4


def test_labelled_rows_of_their_own(make_settings, labelled_frame, tmp_path):
    paths = {"data_path": tmp_path / "all.csv", "labelled_path": tmp_path / "few.csv"}
    labelled_frame.assign(a=labelled_frame.a.fillna(0) + 1).to_csv(paths["data_path"], index=False)
    few = labelled_frame.dropna(subset=["score", "kind"])[::-1]
    few[["kind", "e", "score", "d", "c", "b", "a"]].to_csv(paths["labelled_path"], index=False)
    data = TransferData.load(make_settings(**{name: str(path) for name, path in paths.items()}))
    assert not data.shared
    assert data.labelled.columns == data.table.columns == list("abcde")
    np.testing.assert_allclose(data.labelled.values, few[list("abcde")], rtol=1e-6)
    folds = divide(data, 3, 1).folds
    assert {fold.pretraining for fold in folds} == {"all"}
    assert folds[0].pretrain.size == 72


def test_labelled_rows_that_stand_in_the_other_table_are_left_out(make_settings, labelled_frame, tmp_path):
    paths = {"data_path": tmp_path / "all.csv", "labelled_path": tmp_path / "few.csv"}
    signed = labelled_frame.b.where(labelled_frame.b != 0, -0.0)  # a zero is a zero
    labelled_frame.assign(b=signed).to_csv(paths["data_path"], index=False)
    few = labelled_frame.sample(30, random_state=1)
    few.to_csv(paths["labelled_path"], index=False)
    settings = make_settings(**{name: str(path) for name, path in paths.items()})
    data = TransferData.load(settings)
    labelled = few[few.score.notna() | few.kind.notna()]
    assert data.n_overlapping == len(labelled) < 30
    np.testing.assert_array_equal(data.pretrain, labelled_frame.index.difference(labelled.index))
    division = divide(data, 3, 1)
    for fold in [*division.folds, division.final]:
        assert not {*fold.pretrain, *fold.held_out} & set(labelled.index)
    assert transfer_context(settings, data)["left_out_rows"] == len(labelled)


def test_a_table_all_of_labelled_rows_leaves_nothing_to_learn_from(make_settings, labelled_frame, tmp_path):
    path = tmp_path / "rows.csv"
    labelled_frame.dropna(subset="kind").to_csv(path, index=False)
    settings = make_settings(data_path=str(path), labelled_path=str(path))
    with pytest.raises(
        InputError, match="that are labelled rows, too; if all rows stand in one table, leave"
    ):
        divide(TransferData.load(settings), 3, 1)


def changed(frame: pd.DataFrame, **columns) -> pd.DataFrame:
    return frame.astype(object).assign(**columns)


WRONG = {
    "missing": (lambda f: f.drop(columns="score"), ["--regression_target", "has no column 'score'"]),
    "constant": (lambda f: f.assign(score=3.5), ["--regression_target", "is 3.5 in every row"]),
    "text": (lambda f: changed(f, score="good"), ["--regression_target", "'good' is not a number"]),
    "one class": (lambda f: f.assign(kind=1), ["--classification_target", "two classes, got 1: 1"]),
    "three classes": (
        lambda f: f.assign(kind=np.arange(90) % 3),
        ["two classes, got 3: 0 (30 rows), 1 (30 rows), 2 (30 rows)"],
    ),
    "a slip among words": (
        lambda f: changed(f, kind=np.where(f.index < 40, "no", np.where(f.index == 89, "Yes", "yes"))),
        ["two classes, got 3: 'no' (40 rows), 'Yes' (1 row), 'yes' (49 rows)"],
    ),
    "too few labels": (
        lambda f: f.assign(score=f.score.where(f.index < 3)), ["2 rows have 'score', but 3 folds"],
    ),
    "a rare class": (
        lambda f: f.assign(kind=np.where(f.index < 3, 2, 1)), ["class 2 of 'kind' is too rare: 3 rows"],
    ),
    "hardly varying": (
        lambda f: f.assign(score=np.where(f.index == 4, 1.0, np.where(f.index < 8, 2.0, np.nan))),
        ["--regression_target", "is known or varies in too few rows"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG)
def test_a_target_that_cannot_be_used_is_one_clear_line(
    make_settings, labelled_frame, tmp_path, change, told
):
    path = tmp_path / "bad.csv"
    change(labelled_frame).to_csv(path, index=False)
    settings = make_settings(data_path=str(path))
    with pytest.raises(InputError) as error:
        divide(TransferData.load(settings), settings.n_cv_folds, settings.seed)
    (problem,) = error.value.problems
    for part in [str(path), *told]:
        assert part in problem


def test_what_is_wrong_is_told_at_once(make_settings, labelled_frame, tmp_path):
    path = tmp_path / "bad.csv"
    labelled_frame.assign(score=1.0, kind=1.0).to_csv(path, index=False)
    with pytest.raises(InputError) as error:
        TransferData.load(make_settings(data_path=str(path), columns="a,zzz"))
    assert len(error.value.problems) == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"regression_target": "", "classification_target": ""}, "both empty"),
        ({"regression_target": "kind"}, "are both 'kind'"),
        ({"columns": "a,score"}, "must not hold what is to be predicted, got score"),
        ({"hidden_dims_options": "8,8-x"}, "must be stacks of widths such as 128 or 256-128, got '8-x'"),
        ({"hidden_dims_options": "0"}, "must be stacks of widths"),
        ({"n_cv_folds": 1}, "--n_cv_folds must be at least 2"),
        ({"name": "a/b"}, "--name must be the name of a folder, without slashes, got 'a/b'"),
        ({"sampler": "zzz"}, "--sampler must be one of"),
        ({"dropout_range": "0.3,0.2"}, "must be an ascending range"),
    ],
)
def test_wrong_options_are_told(make_settings, options, told):
    with pytest.raises(InputError) as error:
        make_settings(**options)
    (problem,) = error.value.problems
    assert told in problem


def test_every_row_has_one_part_to_play(data):
    division = divide(data, 3, seed=4)
    test = set(division.final.validation)
    judged = [row for fold in division.folds for row in fold.validation]
    assert len(judged) == len(set(judged))
    assert set(judged) | test == set(data.any_label)
    assert not set(judged) & test
    unlabelled = set(range(90)) - set(data.any_label)
    for fold in division.folds:
        seen = {*fold.pretrain, *fold.train}
        assert not seen & {*fold.validation, *fold.held_out, *test}
        assert unlabelled <= set(fold.pretrain)
        assert not unlabelled & set(fold.train)
        assert set(data.targets["classification"].values[fold.validation]) >= {0, 1}
    assert not {*division.final.pretrain, *division.final.train} & test


def test_a_regression_target_keeps_its_precision(make_settings, labelled_frame, tmp_path):
    path = tmp_path / "seconds.csv"
    for scale, problem in (
        (1.6e9, None),
        (1e-299, "too small or too large"),
        (1e300, "too small or too large"),
    ):
        score = 1.6e9 + labelled_frame.score if scale == 1.6e9 else scale * labelled_frame.score
        labelled_frame.assign(score=score).to_csv(path, index=False)
        if problem is None:
            target = TransferData.load(make_settings(data_path=str(path))).targets["regression"]
            np.testing.assert_array_equal(target.values, score)
        else:
            with pytest.raises(InputError, match=problem):
                TransferData.load(make_settings(data_path=str(path)))
