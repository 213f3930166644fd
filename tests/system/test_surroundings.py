"""Threads of libraries: one in a block, however blocks overlap, and then as many as before."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  (its BLAS is another one than NumPy's)
from threadpoolctl import threadpool_info, threadpool_limits

import autoenc
from autoenc.engines.principal import principal_components
from autoenc.system.surroundings import one_library_thread, one_thread_each, restoring


def threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, "blas"):
        yield


def test_blocks_of_several_threads_leave_as_many_as_there_were() -> None:
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with one_library_thread():
            entered.set()
            leave.wait(60)

    before = threads()
    assert set(before) == {2}
    with one_library_thread():
        other = threading.Thread(target=stay)
        other.start()
        assert entered.wait(60)
        assert set(threads()) == {1}
    leave.set()
    other.join()
    assert threads() == before
    with one_library_thread():
        assert set(threads()) == {1}
    assert threads() == before


def test_a_search_that_begins_from_pca_has_the_same_bits_by_any_number_of_threads() -> None:
    rows = np.random.default_rng(0).standard_normal((300, 900))
    options = {"start": "pca", "hidden_dims_search": (8,), "max_layers": 1, "latent_dim": 2, "epochs": 2}

    def losses() -> tuple[object, ...]:
        results = autoenc.search(rows, quiet=True, jobs=2, folds=3, **options)
        return results.baselines, results.ranked[0].test_losses

    several = losses()
    assert set(threads()) == {2}
    with threadpool_limits(1):
        single = losses()
    assert several == single


def test_an_error_in_a_block_gives_the_threads_back() -> None:
    with pytest.raises(ValueError, match="no"), one_library_thread():
        raise ValueError("no")
    assert set(threads()) == {2}


def test_one_thread_each_holds_until_the_block_around_it_ends() -> None:
    with restoring():
        one_thread_each()
        with one_library_thread():
            pass
        assert set(threads()) == {1}
    assert set(threads()) == {2}


@pytest.mark.parametrize("shape", [(1200, 900), (40, 1500), (4000, 30)], ids=["large", "wide", "long"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_principal_components_have_the_same_bits_by_any_number_of_threads(
    shape: tuple[int, int], kind: type[np.floating]
) -> None:
    rows = np.random.default_rng(0).standard_normal(shape).astype(kind)
    several = principal_components(rows, 3)
    with threadpool_limits(1):
        single = principal_components(rows, 3)
    np.testing.assert_array_equal(several.components_, single.components_)
    np.testing.assert_array_equal(several.explained_variance_, single.explained_variance_)
