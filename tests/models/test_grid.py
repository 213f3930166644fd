"""The grid and the counts of network shapes."""

from __future__ import annotations

import sys
import time
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoenc.models.grid import ArchitectureGrid, NetworkShape, format_architecture
from autoenc.models.network import DynamicAutoencoder

widths_in_any_order = st.lists(st.integers(1, 300), min_size=1, max_size=6, unique=True)


def brute_force(widths: list[int], max_layers: int) -> list[tuple[int, ...]]:
    """Every stack, shortest first, large widths first."""
    from_large = sorted(widths, reverse=True)
    return [
        stack
        for depth in range(1, max_layers + 1)
        for stack in combinations_with_replacement(from_large, depth)
    ]


@pytest.mark.parametrize(
    ("widths", "max_layers", "count"),
    [([16, 32, 64, 128], 3, 34), ([16, 32, 64], 3, 19), ([8, 16, 32], 2, 9), ([7], 1, 1), ([7], 5, 5)],
)
def test_known_counts(widths, max_layers, count):
    grid = ArchitectureGrid(widths, max_layers)
    assert len(grid) == count
    assert len(list(grid)) == count


@given(widths_in_any_order, st.integers(1, 4))
def test_order_and_content_are_those_of_a_brute_force_enumeration(widths, max_layers):
    grid = ArchitectureGrid(widths, max_layers)
    expected = brute_force(widths, max_layers)
    assert list(grid) == expected
    assert len(grid) == len(expected)


@given(widths_in_any_order, st.integers(1, 4))
def test_iteration_equals_indexing(widths, max_layers):
    grid = ArchitectureGrid(widths, max_layers)
    assert list(grid) == [grid[i] for i in range(len(grid))]


@given(widths_in_any_order, st.integers(1, 4), st.data())
def test_slices_and_negative_indices_are_those_of_a_list(widths, max_layers, data):
    grid = ArchitectureGrid(widths, max_layers)
    stacks = brute_force(widths, max_layers)
    bounds = st.none() | st.integers(-len(stacks) - 2, len(stacks) + 2)
    steps = st.none() | st.integers(-3, 3).filter(bool)
    piece = slice(data.draw(bounds), data.draw(bounds), data.draw(steps))
    assert grid[piece] == stacks[piece]
    index = data.draw(st.integers(-len(stacks), len(stacks) - 1))
    assert grid[index] == stacks[index]
    assert grid[np.int64(index)] == stacks[index]


@given(st.permutations([8, 16, 32, 64]))
def test_the_order_of_the_widths_does_not_matter(widths):
    assert list(ArchitectureGrid(widths, 2)) == list(ArchitectureGrid([64, 32, 16, 8], 2))


@pytest.mark.parametrize("index", [9, 10, -10, 10**30, -(10**30)])
def test_an_index_outside_raises(index):
    with pytest.raises(IndexError, match=f"within a grid of 9 stacks, got {index}"):
        ArchitectureGrid([8, 16, 32], 2)[index]


@pytest.mark.parametrize("index", ["0", None, 0.5, (1,)])
def test_an_index_that_is_no_integer_raises(index):
    with pytest.raises(TypeError):
        ArchitectureGrid([8, 16, 32], 2)[index]


@pytest.mark.parametrize("stack", [(8,), (32, 32), (32, 8)])
def test_membership(stack):
    assert stack in ArchitectureGrid([8, 16, 32], 2)


@pytest.mark.parametrize("stack", [(), (9,), (8, 32), (32, 32, 32), [32], 32, None, "8"])
def test_no_membership(stack):
    assert stack not in ArchitectureGrid([8, 16, 32], 2)


def test_millions_of_stacks_answer_at_once():
    started = time.perf_counter()
    grid = ArchitectureGrid(list(range(1, 101)), 8)
    assert len(grid) == 352_025_629_370
    assert grid[0] == (100,)
    assert grid[-1] == (1,) * 8
    middle = grid[len(grid) // 2]
    assert middle in grid
    assert grid[10**11 : 10**11 + 3][1] == grid[10**11 + 1]
    assert next(iter(grid)) == (100,)
    assert time.perf_counter() - started < 0.5


def test_consecutive_stacks_of_a_large_grid_ascend_in_its_order():
    grid = ArchitectureGrid(list(range(1, 51)), 6)
    for at in (0, 49, 50, 1324, 1325, len(grid) // 3, len(grid) - 2):
        low, high = grid[at], grid[at + 1]
        assert (len(low), [-w for w in low]) < (len(high), [-w for w in high])


def test_a_very_deep_grid_is_held_and_indexed():
    grid = ArchitectureGrid([4, 2], 1000)
    assert len(grid) == 1002 * 1001 // 2 - 1
    assert grid[-1] == (2,) * 1000
    assert len(grid) < sys.maxsize


@pytest.mark.parametrize(
    ("widths", "max_layers", "message"),
    [
        ([], 2, "at least one hidden width"),
        ([8, 0], 2, r"positive integers, got \[8, 0\]"),
        ([-8], 2, "positive integers"),
        ([8.0], 2, "positive integers"),
        (["8"], 2, "positive integers"),
        ([True], 2, "positive integers"),
        ([8, 16, 8], 2, r"must not repeat, got \[8, 16, 8\]"),
        ([8], 0, "max_layers must be a positive integer, got 0"),
        ([8], -1, "max_layers must be a positive integer"),
        ([8], 1.5, "max_layers must be a positive integer"),
    ],
)
def test_wrong_arguments_are_named(widths, max_layers, message):
    with pytest.raises(ValueError, match=message):
        ArchitectureGrid(widths, max_layers)


def test_how_a_stack_and_a_grid_are_written():
    assert format_architecture((64, 32)) == "64-32"
    assert format_architecture((7,)) == "7"
    assert repr(ArchitectureGrid([16, 32], 2)) == "ArchitectureGrid(widths=[32, 16], max_layers=2)"


shapes = st.builds(
    NetworkShape,
    input_dim=st.integers(1, 20),
    hidden_dims=st.lists(st.integers(1, 20), max_size=4).map(tuple),
    latent_dim=st.integers(1, 20),
    norm=st.sampled_from(["layer", "none"]),
)


def test_the_reference_network_has_12491_parameters():
    assert NetworkShape(24, (64, 64), 3).count_parameters() == 12_491


@given(shapes)
def test_parameter_counts_are_those_of_the_torch_model(shape):
    model = DynamicAutoencoder(shape.input_dim, shape.latent_dim, shape.hidden_dims, norm=shape.norm)

    def count(module):
        return sum(parameter.numel() for parameter in module.parameters())

    assert shape.count_parameters() == count(model)
    assert shape.count_parameters("encoder") == count(model.encoder)
    assert shape.count_parameters("decoder") == count(model.decoder)


@given(shapes)
def test_layers_name_the_parameters_of_the_torch_model(shape):
    model = DynamicAutoencoder(shape.input_dim, shape.latent_dim, shape.hidden_dims, norm=shape.norm)
    names = {"input_norm.weight", "input_norm.bias"} if shape.norm == "layer" else set()
    for layer in shape.layers():
        names |= {
            f"{prefix}.{part}"
            for prefix in (layer.linear, layer.norm)
            if prefix
            for part in ("weight", "bias")
        }
        assert model.get_submodule(layer.linear).weight.shape == (layer.n_out, layer.n_in)
    assert names == set(model.state_dict())


@given(shapes)
def test_only_latent_and_output_layer_are_not_hidden(shape):
    hidden = [layer.hidden for layer in shape.layers()]
    n_hidden = len(shape.hidden_dims)
    assert hidden == ([True] * n_hidden + [False]) * 2


def test_multiply_adds_of_a_row():
    assert NetworkShape(24, (64, 64), 3).count_multiply_adds() == 2 * (24 * 64 + 64 * 64 + 64 * 3)
    assert NetworkShape(5, (), 2).count_multiply_adds() == 20


def test_description_holds_sizes_and_counts():
    assert NetworkShape(24, (64, 64), 3).describe(0.1) == {
        "input_dim": 24,
        "latent_dim": 3,
        "hidden_dims": [64, 64],
        "dropout": 0.1,
        "total_params": 12_491,
        "encoder_params": 6_211,
        "decoder_params": 6_232,
    }
