"""Scaling: independent of a column's unit and offset, and what happens to columns without a scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from autoenc.data.scaling import Scaling, left_out_mark, scaling_warnings

NAN = np.nan
ROWS = np.arange(60)


def column(seed: int) -> np.ndarray:
    """Numbers of a few binary digits, so that adding an offset does not round them."""
    rng = np.random.default_rng(seed)
    cells = np.round(rng.normal(size=80) * 1024) / 1024
    cells[rng.random(80) < 0.1] = NAN
    return cells[:, None]


def scaled(kind: str, values: np.ndarray) -> np.ndarray:
    return Scaling.fit(kind, values, ROWS).apply(values)


@pytest.mark.parametrize("kind", ["maxabs", "minmax", "standard", "floored", "robust"])
@given(seed=st.integers(0, 99), unit=st.sampled_from([1000.0, 1 / 3, 1e-9, 1e-30, 1e-300, 1e30, 1e200]))
def test_scaled_cells_do_not_depend_on_the_unit(kind: str, seed: int, unit: float) -> None:
    values = column(seed)
    np.testing.assert_allclose(scaled(kind, values * unit), scaled(kind, values), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["minmax", "standard", "floored", "robust"])
@given(seed=st.integers(0, 99), offset=st.sampled_from([1e6, -1e6, 1e9, 1.7e9]))
def test_scaled_cells_do_not_depend_on_the_offset(kind: str, seed: int, offset: float) -> None:
    values = column(seed)
    np.testing.assert_allclose(scaled(kind, values + offset), scaled(kind, values), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["minmax", "standard", "floored", "robust"])
@pytest.mark.parametrize(
    "learned",
    [[0.0] * 6, [3.0] * 6, [-2.0] * 6, [0.1] * 6, [1e-300] * 6, [NAN] * 6, [NAN] * 5 + [7.0],
     [0.1 + 0.2, 0.3] * 3, [1e9, np.nextafter(1e9, 2e9)] * 3],
    ids=["zeros", "3", "-2", "0.1", "tiny", "unobserved", "one cell", "almost 0.3", "almost 1e9"],
)  # fmt: skip
def test_a_column_that_does_not_vary_has_no_scale(kind: str, learned: list[float]) -> None:
    values = np.array([*learned, 5e4, -1.0])[:, None]
    scaling = Scaling.fit(kind, values, np.arange(6))
    assert scaling.left_out.all()
    assert np.isnan(scaling.apply(values)).all()
    expected = 0.0 if np.isnan(learned).all() else np.nanmedian(learned)
    np.testing.assert_array_equal(scaling.undo(np.float32([[0.7], [NAN]])), expected)


def test_a_number_that_is_all_of_a_column_is_a_scale_of_cells_like_it_alone() -> None:
    values = np.array(
        [[0.0, 3.0, -3.0, 0.3, NAN], [0.0, 3.0, NAN, 0.3, NAN], [9.0, 3.0, 3.1, 0.1 + 0.2, 1.0]]
    )
    scaling = Scaling.fit("maxabs", values, np.arange(2))
    assert scaling.left_out.tolist() == [True, False, False, False, True]
    assert scaling.differing(values).tolist() == [False, False, True, False, False]
    np.testing.assert_array_equal(scaling.apply(values)[:, 1:4], [[1, -1, 1], [1, NAN, 1], [1, NAN, 1]])
    np.testing.assert_array_equal(scaling.undo(np.ones((1, 5), np.float32)), [[0, 3, 3, 0.3, 0]])
    np.testing.assert_array_equal(scaling.apply(values * 0)[0], [NAN, 0, 0, 0, NAN])
    whole = Scaling.fit("maxabs", values, np.arange(3))  # the same rows that vary, learned from
    assert not whole.left_out[:3].any()
    assert not whole.differing(values).any()
    single = Scaling.fit("maxabs", values, np.arange(1))  # one row says nothing of what is constant
    assert single.left_out.tolist() == [True, False, False, False, True]
    np.testing.assert_array_equal(single.apply(values)[:, 2], np.float32([-1, NAN, 3.1 / 3]))


def test_other_cells_than_the_number_of_a_column_leave_a_mark_and_are_told() -> None:
    values = np.array([[1.0, 3.0, 3.0], [2.0, 3.0, 3.0], [4.0, 3.0, 3.1]])
    splits = {
        "holdout": Scaling.fit("maxabs", values, np.arange(2)),
        "1/2": Scaling.fit("maxabs", values, ROWS[:3]),
    }
    same, other = values[:, [0, 1]], values
    for cells, is_marked in ((same, False), (other, True)):
        fitted = {"holdout": (Scaling.fit("maxabs", cells, np.arange(2)), 2)}
        assert bool(left_out_mark(fitted, [cells])) == is_marked
        assert not left_out_mark(fitted, [cells[:2]])
        assert bool(left_out_mark(fitted, [cells[:2], cells])) == is_marked
    (told,) = scaling_warnings(list("abc"), np.array([True, False, True]), splits, [values])
    assert told.startswith("left out of the loss of 'holdout': 'c' (constant in the training rows; ")


def test_without_scaling_only_an_unobserved_column_is_left_out() -> None:
    values = np.array([[3.0, NAN], [3.0, NAN], [4.0, 1.0]])
    scaling = Scaling.fit("none", values, np.arange(2))
    assert scaling.left_out.tolist() == [False, True]
    np.testing.assert_array_equal(scaling.apply(values), [[3, NAN], [3, NAN], [4, NAN]])


def test_quartiles_that_coincide_are_no_scale_though_the_column_varies() -> None:
    values = np.array([0.0] * 16 + [1, 2, 3, 4])[:, None]
    for kind, left_out in (("robust", True), ("standard", False), ("minmax", False), ("maxabs", False)):
        assert Scaling.fit(kind, values, np.arange(20)).left_out[0] == left_out
    (told,) = scaling_warnings(
        ["a"], np.array([True]), {"holdout": Scaling.fit("robust", values, np.arange(20))}, [values]
    )
    assert told.startswith("left out of the loss: 'a' (")
    assert "--scaling standard" in told


def test_warnings_name_columns_and_the_splits_they_are_left_out_of() -> None:
    columns = ["a", "b", "c"]
    splits = {
        fold: Scaling("maxabs", np.zeros(3), np.array(scale, float))
        for fold, scale in {"1/2": [1, 0, 0], "2/2": [1, 0, 1]}.items()
    }
    rows = np.zeros((1, 3))
    told = scaling_warnings(columns, np.array([True, True, True]), splits, [rows])
    assert scaling_warnings(columns, np.array([True, False, False]), splits, [rows]) == []
    assert [line.split(" (")[0] for line in told] == [
        "left out of the loss: 'b'",
        "left out of the loss of '1/2': 'c'",
    ]


@pytest.mark.parametrize(
    ("kind", "offset", "is_told"),
    [("maxabs", 1.7e9, True), ("maxabs", -1e6, True), ("maxabs", 1e3, False), ("standard", 1e9, False),
     ("none", 1e6, True)],
)  # fmt: skip
def test_what_is_lost_beside_an_offset_is_told(kind: str, offset: float, is_told: bool) -> None:
    values = np.hstack([column(0) + offset, column(1), np.full((80, 1), 1e9)])
    splits = {"holdout": Scaling.fit(kind, values, ROWS)}
    told = [
        text for text in scaling_warnings(list("abc"), np.zeros(3, bool), splits, [values]) if "'a'" in text
    ]
    assert [text.endswith("--scaling standard all of it") for text in told] == [True] * is_told


def test_only_columns_that_were_scaled_otherwise_before_leave_a_mark() -> None:
    usual, tiny = np.array([[1.0], [2.0], [4.0]]), np.array([[1e-16], [2e-16], [4e-16]])
    rows = np.arange(3)

    def marked(splits: dict[str, tuple[Scaling, int]]) -> str:
        return left_out_mark(splits, [usual])

    for kind in ("maxabs", "minmax", "standard", "floored", "robust", "none"):
        assert marked({"holdout": (Scaling.fit(kind, usual, rows), 3)}) == ""
    without = {"holdout": (Scaling.fit("maxabs", usual * 0, rows), 3)}
    marks = {
        marked(without),
        marked({"1/5": without["holdout"]}),
        marked({**without, "1/5": (Scaling.fit("maxabs", usual, rows), 3)}),
        marked({"holdout": (Scaling.fit("maxabs", np.hstack([usual, usual * 0]), rows), 3)}),
    }
    assert len(marks) == 3  # a split without such columns adds nothing
    assert marked({"holdout": (Scaling.fit("robust", tiny, rows), 3)})


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n_rows=st.integers(2, 300), missing=st.sampled_from([0.0, 0.2, 0.97]))
def test_columns_are_standardized_to_the_same_bits_together_and_one_by_one(seed, n_rows, missing) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(rng.normal(size=9), 1, (n_rows, 9)) * 10.0 ** rng.integers(-150, 150, 9)
    values[:, 3], values[:, 4] = 7.25, 0.0
    values[rng.random(values.shape) < missing] = np.nan
    values[:, 5] = np.nan
    rows = np.sort(rng.choice(n_rows, max(2, n_rows // 2), replace=False))
    together = Scaling.fit("standard", values, rows)
    for j in range(9):
        alone = Scaling.fit("standard", np.ascontiguousarray(values[:, j : j + 1]), rows)
        assert (together.center[j], together.scale[j]) == (alone.center[0], alone.scale[0])
        cells = values[rows, j]
        if together.scale[j]:
            exponent = np.frexp(np.nanmax(np.abs(cells)))[1]
            scaler = StandardScaler().fit(np.ldexp(cells, -exponent)[:, None])
            expected = np.ldexp([scaler.mean_[0], np.sqrt(scaler.var_[0])], exponent)
            assert (together.center[j], together.scale[j]) == tuple(expected)


def test_a_floored_scale_is_the_deviation_but_at_least_a_tenth_of_the_range() -> None:
    rng = np.random.default_rng(0)
    rare = np.zeros(1000)
    rare[:2] = 50.0
    shares = np.repeat([0.0, 1.0], [999, 1])  # of a category that one row has
    values = np.column_stack([rng.normal(5, 3, 1000), rare, np.full(1000, 7.0), shares])
    rows, groups = np.arange(1000), np.array([-1, -1, -1, 0])
    plain, floored = (Scaling.fit(kind, values, rows, groups) for kind in ("standard", "floored"))
    np.testing.assert_array_equal(floored.center, plain.center)
    np.testing.assert_array_equal(floored.scale, [plain.scale[0], 5.0, 0.0, plain.scale[3]])
    assert plain.scale[1] < 2.5
    assert np.nanmax(np.abs(floored.apply(values)[:, :3])) <= 10
