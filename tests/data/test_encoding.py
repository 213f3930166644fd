"""Mixed columns as numbers and back: round trips, unknown categories, what FAMD's scaling makes of them."""

from __future__ import annotations

import datetime
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoenc.data.encoding import Encoding, with_indicators
from autoenc.data.features import Category, Date, Number, Truth, feature_of, key_of
from autoenc.data.scaling import BY_KIND, STANDARDIZED, Scaling, ScalingKind
from autoenc.errors import InputError

ALL = np.ones(50, bool)


def decoded(feature, column: pd.Series) -> np.ndarray:
    cells = feature.encode(column)
    return feature.decode(cells, ALL[: cells.shape[1]])


labels = st.one_of(
    st.text("abcß =0.1'", min_size=1, max_size=4).filter(str.strip), st.integers(-(10**6), 10**6)
)


@given(st.lists(labels, min_size=1, max_size=12))
def test_categories_come_back(cells):
    of_key = {key_of(cell): cell for cell in cells}
    feature = with_indicators([Category("c", tuple(of_key.values()))]).features[0]
    column = pd.Series([*cells, None], dtype=object)
    encoded = feature.encode(column)
    assert np.isnan(encoded[-1]).all()
    np.testing.assert_array_equal(encoded[:-1].sum(axis=1), 1)
    assert [key_of(cell) for cell in decoded(feature, column[:-1])] == [key_of(cell) for cell in cells]


@given(st.lists(st.one_of(st.booleans(), st.none()), min_size=1))
def test_truth_values_come_back_from_all_that_they_are_written_as(cells):
    feature = Truth("t")
    column = pd.Series(cells, dtype=object)
    for form in (
        column,
        column.astype("boolean"),
        column.map(str, na_action="ignore").astype(object),
        column.map(float, na_action="ignore").astype("Float64"),
    ):
        encoded = feature.encode(form)[:, 0]
        assert [None if np.isnan(cell) else bool(cell) for cell in encoded] == cells


moments = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2250, 1, 1))


@given(st.lists(moments, min_size=1), st.sampled_from(["D", "s", "ms"]))
def test_dates_come_back_in_their_resolution(cells, unit):
    dates = np.array(cells, f"datetime64[{unit}]")
    feature = Date("d", unit)
    expected = dates.astype("datetime64[us]")
    text = pd.Series(np.datetime_as_string(dates).tolist())
    objects = pd.Series([cell.item() for cell in dates], dtype=object)
    for column in (pd.Series(expected), text, objects):
        np.testing.assert_array_equal(decoded(feature, column).astype("datetime64[us]"), expected)


def test_dates_of_a_time_zone_are_days_of_universal_time():
    column = pd.Series(pd.to_datetime(["2020-07-01 02:00", None])).dt.tz_localize("Europe/Berlin")
    np.testing.assert_array_equal(Date("d").encode(column)[:, 0], [18444.0, np.nan])
    text = pd.Series(["2020-07-01T02:00+02:00", "2020-07-01"])
    np.testing.assert_array_equal(Date("d").encode(text)[:, 0], [18444.0, 18444.0])


@pytest.mark.parametrize(("feature", "cell", "match"), [
    (Date("d"), "31.1.2020", "column 'd' has '31.1.2020' in row 2, where a date like 2020-01-31 is needed"),
    (Date("d"), "2020-02-30", "'2020-02-30' in row 2"),
    (Truth("t"), "maybe", "column 't' has 'maybe' in row 2, where true or false is needed"),
    (Truth("t"), 2, "has 2 in row 2"), (Number("n"), "x", "column 'n' has 'x' in row 2"),
])  # fmt: skip
def test_a_cell_of_another_kind_is_named(feature, cell, match):
    with pytest.raises(InputError, match=match):
        feature.encode(pd.Series([None, cell], dtype=object, name=feature.name))


@pytest.fixture
def encoding() -> Encoding:
    return with_indicators([Number("n"), Category("c", ("a", "b")), Truth("t"), Date("d")])


@pytest.fixture
def mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "d": pd.to_datetime(["2020-01-02", None, "2020-01-04"]),
            "t": [True, None, False],
            "c": ["b", "z", None],
            "n": [1.5, np.nan, 2],
            "other": "x",
        }
    )


def test_columns_are_matched_by_name_and_become_named_numbers(encoding, mixed):
    assert encoding.encoded == ["n", "c=a", "c=b", "t", "d"]
    nan = np.nan
    expected = [[1.5, 0, 1, 1, 18263], [nan, nan, nan, nan, nan], [2, nan, nan, 0, 18265]]
    np.testing.assert_array_equal(encoding.encode(mixed), expected)
    np.testing.assert_array_equal(encoding.groups, [BY_KIND, 1, 1, STANDARDIZED, STANDARDIZED])


def test_a_category_that_is_not_known_is_told_and_no_missing_cell(encoding, mixed):
    message = "column 'c': 'z' is no category that was learned from; 1 such cell counts as missing"
    assert encoding.unknown(mixed) == [message]
    np.testing.assert_array_equal(encoding.missing(mixed)["c"], [False, False, True])


def test_columns_that_are_absent_or_there_twice_are_named(encoding, mixed):
    with pytest.raises(InputError, match="not there: n, t"):
        encoding.encode(mixed.drop(columns=["n", "t"]))
    with pytest.raises(InputError, match="several of: c"):
        encoding.encode(pd.concat([mixed, mixed["c"]], axis=1))


def test_an_encoding_is_the_same_after_plain_values(encoding):
    assert Encoding.of_plain(encoding.as_plain()) == encoding
    assert Encoding.of_plain(encoding.as_plain()).mark == encoding.mark
    assert encoding.mark != with_indicators([Number("n"), Category("c", ("a", "b")), Truth("t")]).mark


@pytest.mark.parametrize(("change", "match"), [
    ({"kind": "word"}, "one of number, truth, date, category"), ({"name": 3}, "have a name"),
    ({"labels": ["a", "a"]}, "must differ"), ({"labels": []}, "an indicator"), ({"labels": "ab"}, "a list"),
    ({"labels": ["a", None]}, "text, numbers"),
    ({"more": 1}, "known parts"), ({"encoded": ["x"]}, "an indicator"),
])  # fmt: skip
def test_plain_values_that_make_no_sense_are_refused(change, match):
    plain = Category("c", ("a", "b"), ("c=a", "c=b")).as_plain()
    with pytest.raises(ValueError, match=match):
        feature_of({**plain, **change})


@pytest.mark.parametrize("change", [{"zone": "Moon/Base"}, {"resolution": "h"}])
def test_dates_of_no_known_zone_or_resolution_are_refused(change):
    with pytest.raises(ValueError, match="dates of its encoding must"):
        feature_of({**Date("d").as_plain(), **change})


def test_the_same_column_twice_is_refused(encoding):
    with pytest.raises(ValueError, match="must differ"):
        Encoding.of_plain([*encoding.as_plain(), encoding.as_plain()[0]])
    with pytest.raises(ValueError, match="a list"):
        Encoding.of_plain([])


def test_names_of_indicators_that_are_taken_grow():
    features = [Number("c=a"), Category("c", ("a", "b"))]
    assert with_indicators(features, ["c=b"]).encoded == ["c=a", "c=a'", "c=b'"]


def test_the_scaling_of_mixed_columns_is_that_of_factor_analysis_of_mixed_data():
    """What a network sees has the eigenvalues of FAMD, computed here from its definition."""
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame(
        {
            "n": rng.normal(3, 2, n),
            "c": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
            "t": rng.random(n) < 0.2,
        }
    )
    encoding = with_indicators([Number("n"), Category("c", ("a", "b", "c")), Truth("t")])
    values = encoding.encode(frame)
    scaled = Scaling.fit("standard", values, np.arange(n), encoding.groups).apply(values)

    def indicators(column):
        dummies = pd.get_dummies(column).to_numpy(float)
        share = dummies.mean(axis=0)
        return dummies / np.sqrt(share) - np.sqrt(share)

    number = ((frame["n"] - frame["n"].mean()) / frame["n"].std(ddof=0)).to_numpy()[:, None]
    famd = np.concatenate([number, indicators(frame["c"]), indicators(frame["t"])], axis=1)
    expected = np.linalg.eigvalsh(famd.T @ famd / n)[::-1]
    found = np.linalg.eigvalsh(scaled.astype(float).T @ scaled.astype(float) / n)[::-1]
    np.testing.assert_allclose(found[:4], expected[:4], rtol=1e-5)
    np.testing.assert_allclose(
        found[:4].sum(), 1 + 2 + 1, rtol=1e-5
    )  # each category but one, each other column


@pytest.mark.parametrize("kind", get_args(ScalingKind))
def test_numbers_alone_are_scaled_by_the_kind(kind):
    rng = np.random.default_rng(0)
    parts = [rng.random(40), rng.random(40) < 0.3, np.zeros(40), 18000 + rng.random(40)]
    values = np.column_stack(parts)
    values[:, 2] = 1 - values[:, 1]
    groups = np.array([BY_KIND, 0, 0, STANDARDIZED])
    scaling = Scaling.fit(kind, values, np.arange(30), groups)
    share = values[:30, 1].mean()
    np.testing.assert_allclose(scaling.center[1:3], [share, 1 - share])
    np.testing.assert_allclose(scaling.scale[1:3], np.sqrt([share, 1 - share]))
    np.testing.assert_allclose(
        [scaling.center[3], scaling.scale[3]], [values[:30, 3].mean(), values[:30, 3].std()]
    )
    alone = Scaling.fit(kind, values[:, :1], np.arange(30))
    np.testing.assert_array_equal(scaling.apply(values)[:, :1], alone.apply(values[:, :1]))
    np.testing.assert_allclose(scaling.undo(scaling.apply(values)), values, atol=1e-4)


def test_a_category_without_training_rows_is_missing_in_all_indicators_and_never_an_answer():
    values = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    scaling = Scaling.fit("maxabs", values, np.arange(3), np.zeros(3, np.int64))
    np.testing.assert_array_equal(scaling.unseen, [False, False, True])
    scaled = scaling.apply(values)
    assert np.isnan(scaled[3]).all()
    assert np.isnan(scaled[:3]).all(axis=0).tolist() == [False, False, True]
    feature = Category("c", ("a", "b", "z"), ("c=a", "c=b", "c=z"))
    answers = np.array([[-3.0, -4, 0.0], [0.2, 0.9, 5]])
    assert feature.decode(answers, ~scaling.unseen).tolist() == ["a", "b"]


def test_a_single_category_in_the_training_rows_tells_nothing_and_is_the_answer():
    values = np.array([[1.0, 0], [1, 0], [0, 1]])
    scaling = Scaling.fit("standard", values, np.arange(2), np.zeros(2, np.int64))
    assert scaling.left_out.all()
    assert np.isnan(scaling.apply(values)).all()
    feature = Category("c", ("a", "b"), ("c=a", "c=b"))
    assert feature.decode(scaling.undo(np.zeros((1, 2))), ~scaling.unseen).tolist() == ["a"]
