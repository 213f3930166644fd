"""Rows of one group stay together, and every part keeps the shares of a column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autoenc.data.division import repeat_seed
from autoenc.errors import InputError
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.folds import divide
from autoenc.two_stage.record import transfer_context


@pytest.fixture(scope="module")
def grouped(labelled_frame) -> pd.DataFrame:
    """With 18 people of five rows each, every one of whom has rows without a label, and three sites."""
    rng = np.random.default_rng(1)
    person = rng.permutation(np.repeat([f"p{i}" for i in range(18)], 5))
    frame = labelled_frame.assign(person=person, site=rng.choice(list("xyz"), 90, p=[0.6, 0.3, 0.1]))
    return frame.assign(person=frame.person.where(frame.index != 11, None))


@pytest.fixture
def load(make_settings, grouped, tmp_path):
    def loaded(frame: pd.DataFrame = grouped, labelled: pd.DataFrame | None = None, **options):
        paths = {"data_path": str(tmp_path / "rows.csv")}
        frame.to_csv(paths["data_path"], index=False)
        if labelled is not None:
            paths["labelled_path"] = str(tmp_path / "labelled.csv")
            labelled.to_csv(paths["labelled_path"], index=False)
        return TransferData.load(make_settings(**paths, **options))

    return loaded


@pytest.mark.parametrize("options", [{}, {"classification_target": ""}, {"stratify": "site"}])
@pytest.mark.parametrize("repeat", [0, 1])
def test_no_stage_learns_from_a_group_that_judges(load, grouped, options, repeat):
    data = load(group="person", **options)
    assert data.table.columns == list("abcde") + (["kind"] if "classification_target" in options else [])
    division = divide(data, 3, 4, repeat_seed(4, repeat))
    people = grouped.person.fillna("nobody").to_numpy(object)
    judged = np.concatenate([division.final.validation, *(fold.validation for fold in division.folds)])
    assert sorted(judged) == list(data.any_label)
    tested = {*people[division.final.validation]}
    for fold in [*division.folds, division.final]:
        judging = {*people[fold.validation]}
        assert not judging & {*people[fold.train]}
        # Nor from their rows that have no label.
        assert not (judging | tested) & {*people[fold.pretrain]}
        of_others = ~np.isin(people, list(judging | tested))
        np.testing.assert_array_equal(fold.pretrain, np.flatnonzero(of_others))
        np.testing.assert_array_equal(fold.held_out, fold.validation)


@pytest.mark.parametrize("options", [{}, {"classification_target": ""}])
def test_every_part_keeps_the_shares(load, grouped, options):
    data = load(stratify="site", **options)
    assert "site" not in data.table.columns
    division = divide(data, 3, 4)
    of_all = (grouped.site[data.any_label] == "x").mean()
    for fold in [*division.folds, division.final]:
        for rows in (fold.train, fold.validation):
            assert (grouped.site[rows] == "x").mean() == pytest.approx(of_all, abs=0.07)
    if not options:
        values = data.targets["classification"].values[data.any_label]
        share = np.nanmean(values)
        for fold in division.folds:
            assert np.nanmean(data.targets["classification"].values[fold.validation]) == pytest.approx(
                share, abs=0.08
            )


def test_a_table_of_its_own_leaves_out_the_groups_of_labelled_rows(load, grouped):
    labelled = grouped[grouped.person.isin([f"p{i}" for i in range(8)])]
    other = grouped.assign(a=grouped.a.fillna(0) + 1).drop(columns=["score", "kind"])
    data = load(other, labelled, group="person", stratify="site")
    people = {*labelled.person[labelled.score.notna() | labelled.kind.notna()]}
    expected = other.index[~other.person.isin(people)]
    np.testing.assert_array_equal(data.pretrain, expected)
    assert 11 in data.pretrain  # of no group
    assert data.table.columns == list("abcde")
    division = divide(data, 2, 1)
    (pretrain,) = {tuple(fold.pretrain) for fold in [*division.folds, division.final]}
    (held_out,) = {tuple(fold.held_out) for fold in [*division.folds, division.final]}
    assert sorted(pretrain + held_out) == list(expected)
    assert not {*other.person[list(pretrain)]} & {*other.person[list(held_out)]}
    assert data.n_overlapping == len(other) - len(expected)
    everyone = load(other, grouped, group="person")
    with pytest.raises(InputError, match="labelled rows, too or of their groups by person; if all rows"):
        divide(everyone, 2, 1)
    with pytest.raises(InputError, match=r"rows\.csv: has no column 'person'"):
        load(other.drop(columns="person"), labelled, group="person")


def test_the_identity_knows_groups_and_classes_only_where_there_are_any(load, make_settings, grouped):
    plain, changed = load(), grouped.assign(person=grouped.person.replace("p3", "p4"))
    assert not {"stratify", "group", "seeds"} & transfer_context(make_settings(), plain).keys()
    assert transfer_context(make_settings(seeds=2), plain)["seeds"] == 2
    options = {"group": "person", "stratify": "site"}
    context = transfer_context(make_settings(**options), load(**options))
    assert {name: context[name] for name in options} == options
    found = [plain, load(**options), load(changed, **options), load(group="person")]
    assert len({data.fingerprint for data in found}) == 4
    assert load(changed).fingerprint == plain.fingerprint  # words are no features


@pytest.mark.parametrize(
    ("changed", "options", "told"),
    [
        ({"person": "one"}, {}, "the test rows with --group person: its rows are of 1 group"),
        (
            {"person": np.arange(90) % 3}, {"classification_target": ""},
            "--n_cv_folds 3 with --group person: the training rows are of 2 groups",
        ),
        ({"site": ["x"] * 45 + ["y"] + ["x"] * 44}, {"group": None, "stratify": "site"}, "class 'y, kind "),
        ({}, {"stratify": "town"}, "has no column 'town'"),
    ],
)  # fmt: skip
def test_what_cannot_be_divided_is_told(load, grouped, changed, options, told):
    with pytest.raises(InputError, match=told):
        divide(load(grouped.assign(**changed), **{"group": "person", **options}), 3, 1)


def test_parts_without_a_class_are_told(load, grouped):
    is_two = (grouped.kind == 2).to_numpy()
    by_kind = grouped.assign(person=np.where(is_two, "two", grouped.index % 7), kind=np.where(is_two, 2, 1))
    with pytest.raises(InputError, match="or groups by person for every fold to learn from it"):
        divide(load(by_kind, group="person", regression_target=""), 3, 1)
    few = grouped.assign(person=np.where(grouped.kind == 2, grouped.index % 3, 10 + grouped.index % 12))
    (warning,) = divide(load(few, group="person", regression_target=""), 3, 1).warnings
    assert "hold no row of class 2, and find none" in warning


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"stratify": "kind"}, "the shares of its classes are kept anyway"),
        ({"group": "score"}, "--group must not be what is to be predicted, got 'score'"),
    ],
)
def test_a_target_divides_nothing(make_settings, options, told):
    with pytest.raises(InputError, match=told):
        make_settings(**options)
