"""The parameters of a stack, as they stand side by side."""

from __future__ import annotations

from itertools import accumulate
from math import prod

import pytest

from autoenc.engines.stacks.shapes import padded_shapes
from autoenc.models.grid import ArchitectureGrid, NetworkShape


def starts(networks) -> dict[str, int]:
    shapes = padded_shapes(networks)
    return dict(
        zip([*shapes, "the next network"], accumulate(map(prod, shapes.values()), initial=0), strict=True)
    )


@pytest.mark.parametrize("latent_dim", [3, 7, 16])
def test_weights_of_usual_widths_begin_where_a_device_reads_fast(latent_dim):
    grid = [stack for stack in ArchitectureGrid((16, 32, 64, 128), 3) if len(stack) == 3]
    found = starts([NetworkShape(24, stack, latent_dim) for stack in grid])
    assert found["the next network"] % 32 == 0
    assert not [name for name, start in found.items() if name.endswith("weight") and start % 32]


@pytest.mark.parametrize(("input_dim", "stack"), [(5, (3, 2)), (1, (1,)), (24, (17, 5)), (512, (2048,))])
def test_the_next_network_begins_there_whatever_the_widths(input_dim, stack):
    assert starts([NetworkShape(input_dim, stack, 1)])["the next network"] % 32 == 0
