"""Cells far outside of what a model has learned from are told, and no answer is NaN."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from autoenc import FittedAutoencoder, FittedEnsemble, InputError, load_model
from autoenc.data.table import Scaling
from autoenc.engines import Fit, Recipe
from autoenc.engines.randomness import initial_state
from autoenc.fitted.autoencoder import fitted_model, save_model
from autoenc.fitted.learned_range import far_outside

COLUMNS = ["a", "b", "constant", "unseen"]


def values(n_rows: int = 30) -> np.ndarray:
    rng = np.random.default_rng(4)
    cells = np.column_stack(
        [rng.random((n_rows, 2)) * [1, 100], np.full(n_rows, 3.0), np.full(n_rows, np.nan)]
    )
    cells[0], cells[1] = [0, 0, 3, np.nan], [1, 100, 3, np.nan]
    return cells


def fitted(kind: str = "standard", norm: str = "layer") -> FittedAutoencoder:
    recipe = Recipe(norm=norm)
    state = initial_state(Fit((5,), 2, recipe).network(4), 3)
    return fitted_model(state, recipe, COLUMNS, Scaling.fit(kind, values(), np.arange(30)), {})


def rows(*cells: tuple[int, int, float]) -> pd.DataFrame:
    found = values()
    for row, column, value in cells:
        found[row, column] = value
    return pd.DataFrame(found, columns=COLUMNS)


@pytest.fixture(params=["as trained", "from its file"])
def model(request, tmp_path) -> FittedAutoencoder:
    one = fitted()
    if request.param == "as trained":
        return one
    save_model(tmp_path / "m.pth", one)
    return load_model(tmp_path / "m.pth")


def test_the_range_of_the_training_rows_is_kept(model):
    np.testing.assert_array_equal(model.scaling.low, [0, 0, 3, np.nan])
    np.testing.assert_array_equal(model.scaling.high, [1, 100, 3, np.nan])


def test_rows_like_those_learned_from_are_no_matter(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.encode(rows((2, 0, 3.0), (3, 1, -400.0), (4, 1, np.nan)))


@pytest.mark.parametrize("fill", [-999.0, 9999.0, 1e20, -1e30, 1e37])
def test_a_fill_value_is_told_with_row_and_column(model, fill):
    data = rows((4, 1, fill), (9, 1, fill), (6, 0, fill))
    told = "is far outside of what the model learned from"
    expected = [
        f"row 7, column 'a': {fill:g} {told}, 0 to 1",
        f"row 5, column 'b': {fill:g} {told}, 0 to 100 (and 1 more cells of it)",
    ]
    for method in (model.encode, model.reconstruct, FittedEnsemble([model, model], {}).reconstruct):
        with pytest.warns(UserWarning, match=told) as caught:
            found = answer(method, data)
        assert [str(warning.message) for warning in caught] == expected
        assert {warning.filename for warning in caught} == {__file__}
        assert np.isfinite(found).all(axis=None) if isinstance(found, pd.DataFrame) else abs(fill) > 1e15


def answer(method: Callable[[pd.DataFrame], pd.DataFrame], data: pd.DataFrame) -> pd.DataFrame | InputError:
    try:
        return method(data)
    except InputError as error:
        return error


@pytest.mark.parametrize("kind", ["standard", "floored", "maxabs", "none", "minmax", "robust"])
@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("fill", [1e18, 1e20, 3e38, 1e39, 1e300, -1e308])
def test_no_answer_is_nan(kind, norm, fill):
    model = fitted(kind, norm)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = answer(model.encode, rows((4, 1, fill)))
    if isinstance(found, InputError):
        assert re.match("row 5.* far outside of what the model learned from", str(found))
    else:
        assert np.isfinite(found).all(axis=None)
    assert any("row 5, column 'b'" in str(warning.message) for warning in told)


def test_columns_that_take_no_part_are_not_told():
    assert far_outside(rows((0, 2, 7.0), (0, 3, 1e9)).to_numpy(), fitted().scaling, COLUMNS) == []


@pytest.mark.parametrize(("kind", "fill"), [("standard", -9999.0), ("maxabs", -99999.0), ("none", 1e20)])
def test_without_a_range_the_scale_tells(kind, fill):
    """Files of earlier versions hold none."""
    scaling = fitted(kind).scaling
    older = Scaling(kind, scaling.center, scaling.scale)
    assert far_outside(values(), older) == []
    (message,) = far_outside(rows((4, 1, fill)).to_numpy(), older)
    assert message == f"row 5, column 2: {fill:g} is far outside of what the model learned from"


def test_many_columns_are_told_in_short():
    cells = np.full((2, 40), 1e9)
    scaling = Scaling.fit("standard", np.random.default_rng(0).random((9, 40)), np.arange(9))
    assert far_outside(cells, scaling)[5:] == ["cells of more columns are far outside, too"]
