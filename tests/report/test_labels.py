"""Names in pictures are shown whole where they can be, and as they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoenc.report.labels import picture_name, wrapped_name

PARTS = st.lists(st.text(st.characters(codec="ascii", exclude_characters=", \n"), min_size=1, max_size=12))


@given(parts=PARTS.filter(lambda parts: 0 < len(", ".join(parts)) < 120))
def test_a_wrapped_name_says_all_parts_on_lines_that_fit(parts) -> None:
    name = ", ".join(parts)
    lines = wrapped_name(name, 30).split("\n")
    assert " ".join(lines) == picture_name(name, 120)
    assert all(len(line) <= 31 or ", " not in line for line in lines)


def test_names_that_differ_at_their_end_look_different() -> None:
    stack = "256-128, initial_lr 0.003, activation relu, start random"
    assert wrapped_name(f"{stack}, dropout 0.1") != wrapped_name(f"{stack}, dropout 0.05")


def test_a_name_without_end_is_cut() -> None:
    assert len(wrapped_name("long" * 1000)) == 160
