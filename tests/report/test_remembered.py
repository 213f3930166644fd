"""What follows from outcomes is computed once, and anew where one is added."""

from __future__ import annotations

from typing import Any

import pytest

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.record.outcomes import Outcomes
from autoenc.report.remembered import remembered

FIT, OTHER = (Fit((width,), 2, Recipe()) for width in (8, 16))


class Counted:
    """Something with outcomes, and how often they were looked through."""

    def __init__(self, outcomes: Any) -> None:
        self.outcomes, self.memory, self.times = outcomes, dict[str, Any](), 0

    @remembered
    def widths(self) -> list[int]:
        """All widths."""
        self.times += 1
        return [fit.architecture[0] for fit in self.outcomes]


@pytest.fixture
def outcome() -> Outcome:
    return Outcome([0.5], [0.4], 0.5, 0.1, {})


def test_it_is_computed_once_while_nothing_changes(outcome):
    counted = Counted(Outcomes({}, lambda fit: fit.digest, lambda places: []))
    counted.outcomes[FIT] = outcome
    assert [counted.widths, counted.widths] == [[8], [8]]
    assert counted.times == 1
    counted.outcomes[OTHER] = outcome
    assert counted.widths == [8, 16]
    del counted.outcomes[FIT]
    assert counted.widths == [16]
    assert counted.times == 3


def test_it_is_computed_each_time_where_changes_are_not_counted(outcome):
    counted = Counted({FIT: outcome})
    assert counted.widths == [8]
    counted.outcomes[OTHER] = outcome
    assert counted.widths == [8, 16]


def test_it_keeps_its_description():
    assert Counted.widths.__doc__ == "All widths."
