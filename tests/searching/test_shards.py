from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoenc.engines import Fit, Recipe
from autoenc.models.grid import ArchitectureGrid
from autoenc.searching.shards import partition
from autoenc.settings.shards import parse_shard, shard_from_environment

FITS = [Fit(stack, 3, Recipe()) for stack in ArchitectureGrid([16, 32, 64, 128], 3)]


@given(st.integers(1, 50))
def test_every_fit_is_in_exactly_one_shard(n_shards: int) -> None:
    parts = partition(FITS, 24, n_shards)
    assert len(parts) == n_shards
    assert sorted(fit.architecture for part in parts for fit in part) == sorted(f.architecture for f in FITS)


@pytest.mark.parametrize("n_shards", [2, 3, 4, 7])
def test_shards_have_about_equal_work(n_shards: int) -> None:
    loads = [
        sum(fit.network(24).count_multiply_adds() for fit in part) for part in partition(FITS, 24, n_shards)
    ]
    largest = max(fit.network(24).count_multiply_adds() for fit in FITS)
    best_possible = max(sum(loads) / n_shards, largest)
    assert max(loads) <= 4 / 3 * best_possible


def test_a_warm_start_counts_with_its_parent() -> None:
    warm = Fit((64, 32), 3, Recipe(warm_start=True))
    twin = Fit((64, 32), 3, Recipe())
    parts = partition([warm, twin, Fit((64,), 3, Recipe())], 24, 2)
    assert parts == [[warm], [twin, Fit((64,), 3, Recipe())]]


@pytest.mark.parametrize(("text", "shard"), [("0/1", (0, 1)), ("3/4", (3, 4))])
def test_a_shard_is_read(text: str, shard: tuple[int, int]) -> None:
    assert parse_shard(text) == shard


@pytest.mark.parametrize("text", ["", "1", "4/4", "-1/4", "a/b", "1/0", "1/2/3", "1.0/2", "²/3"])
def test_a_wrong_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be i/N"):
        parse_shard(text)


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        ({}, None),
        ({"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "4"}, (2, 4)),
        ({"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "1"}, (0, 4)),
        ({"SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "2",
          "SLURM_ARRAY_TASK_STEP": "2"}, (2, 3)),
        ({"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "1"}, None),
    ],
)  # fmt: skip
def test_a_slurm_array_task_names_its_shard(
    environment: dict[str, str], shard: tuple[int, int] | None
) -> None:
    assert shard_from_environment(environment) == shard
