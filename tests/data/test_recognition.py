"""What the columns of a mixed table are taken for, and which are left out, with the reason."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import polars
import pytest

from autoenc.data.given import given_table
from autoenc.data.read import read_table
from autoenc.data.recognition import read_mixed, recognize
from autoenc.data.table import table_of
from autoenc.errors import InputError

N = 60
RNG = np.random.default_rng(0)
NUMBER = RNG.normal(size=N)
WORDS = RNG.choice(["a", "b", "c"], N)
DAYS = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 40, N), "D")
TRUTH = RNG.random(N) < 0.4


def found(most: int = 20, asked: bool = False, **columns):
    """Kinds of the columns that are learned from, and what is said of the others."""
    frame = pd.DataFrame(columns)
    encoding, warnings = recognize(frame, list(frame.columns), "t.csv", (), most, asked)
    return {feature.name: feature.kind for feature in encoding.features}, warnings


@pytest.mark.parametrize(("column", "kind"), [
    (NUMBER, "number"), (RNG.poisson(2, N), "number"), (pd.array(RNG.poisson(2, N), "Int64"), "number"),
    ([decimal.Decimal(int(cell)) / 4 for cell in RNG.integers(0, 99, N)], "number"),
    (TRUTH, "truth"), (pd.array(TRUTH, "boolean"), "truth"), ([*map(bool, TRUTH[:-1]), None], "truth"),
    (pd.Categorical(TRUTH), "truth"),
    (WORDS, "category"), (pd.array(WORDS, "string"), "category"), (pd.Categorical(WORDS), "category"),
    (pd.Categorical(RNG.integers(0, 3, N)), "category"), (RNG.choice(["1", "2", "3"], N), "category"),
    ([None, *WORDS[1:]], "category"),
    (pd.Categorical(DAYS.strftime("%d.%m.%Y").str[-1:] + WORDS), "category"),
    (DAYS, "date"), (DAYS.tz_localize("UTC"), "date"), (DAYS.strftime("%Y-%m-%d"), "date"),
    (DAYS.strftime("%Y-%m-%dT%H:%M:%SZ"), "date"), ([day.date() for day in DAYS], "date"),
    (pd.PeriodIndex(DAYS, freq="D"), "date"), (pd.array(DAYS, "timestamp[us][pyarrow]"), "date"),
    (pd.array([day.date() for day in DAYS], "date32[day][pyarrow]"), "date"),
    (pd.array(DAYS.tz_localize("UTC"), "timestamp[ms, UTC][pyarrow]"), "date"),
    (pd.array(TRUTH, "bool[pyarrow]"), "truth"), (pd.array(WORDS, "string[pyarrow]"), "category"),
])  # fmt: skip
def test_each_kind_of_column_is_known(column, kind):
    assert found(x=column)[0] == {"x": kind}


@pytest.mark.parametrize(("column", "reason"), [
    ([f"text {i}" for i in range(N)], "text that differs in every row, like an identifier: 'x'"),
    ([f"t{i // 2}" for i in range(N)], "free text, or more categories than --max_categories 20: 'x' (30)"),
    (DAYS.strftime("%d.%m.%Y") + "?", "free text"),
    ([f"{1000 * i:,}" for i in range(N)], "numbers with thousands separators, percent or currency signs"),
    ([f"{i}.5 %" for i in range(N)], "numbers with thousands separators, percent or currency signs"),
    ([f"${999 * i:,.2f}" for i in range(N)], "numbers with thousands separators, percent or currency signs"),
    ([f"{i}-{i}" for i in range(N)], "text that differs in every row"),
    (pd.Categorical([f"0{i}" for i in range(N)]), "text that differs in every row"),
    ([f"{i} kg" for i in range(N)], "text that differs in every row"),
    (np.arange(5, N + 5), "whole, different in every row and in order, like an identifier: 'x'"),
    (np.arange(N), f"a row index, 0 to {N - 1}: 'x'"), (np.arange(N) + 1, f"a row index, 1 to {N}: 'x'"),
    (np.full(N, 4.0), "constant: 'x'"), (["a"] * N, "constant: 'x'"), ([True] * N, "constant: 'x'"),
    ([1.0, *[0.0] * (N - 1)], f"near-constant: 'x' (all but 1 of {N} cells)"),
    ([np.nan] * N, "no observed cell: 'x'"), ([None] * N, "no observed cell"),
    (["  "] * N, "no observed cell"),
    (pd.to_timedelta(NUMBER, "D"), "durations"), (NUMBER + 1j, "complex numbers"), ([[1]] * N, "lists"),
    (NUMBER, "the same as an earlier column: 'x' ('n')"),
    (pd.Series(WORDS).map({"a": "1st", "b": "2nd", "c": "3rd"}), "the same as an earlier column: 'x' ('w')"),
])  # fmt: skip
def test_what_says_nothing_of_what_rows_share_is_left_out_and_named(column, reason):
    kinds, warnings = found(n=NUMBER, w=WORDS, x=column)
    assert kinds == {"n": "number", "w": "category"}
    assert len(warnings) == 1
    assert warnings[0].startswith(f"left out, {reason}")


def test_an_index_without_a_name_is_known_however_short_and_others_are_told():
    kinds, warnings = found(**{"Unnamed: 0": np.arange(N), "n": NUMBER, " ": NUMBER**2})
    assert kinds == {"n": "number"}
    assert warnings == [f"left out, a row index, 0 to {N - 1}: 'Unnamed: 0'", "left out, without a name: ' '"]


def test_numbers_of_the_same_rows_are_no_twins_unless_they_are_equal():
    code = RNG.integers(1, 4, N)
    assert found(a=code, b=code**2)[0] == {"a": "number", "b": "number"}
    kinds, warnings = found(a=code, b=pd.Series(code).map({1: "first", 2: "second", 3: "third"}))
    assert kinds == {"a": "number"}
    assert warnings == ["left out, the same as an earlier column: 'b' ('a')"]


def test_columns_that_differ_in_every_row_are_not_the_same_in_other_words():
    columns = {"n": NUMBER[:12], "d": DAYS[0] + pd.to_timedelta(RNG.permutation(12), "D")}
    assert found(**columns) == ({"n": "number", "d": "date"}, [])
    kinds, warnings = found(**columns, twin=columns["d"].strftime("%Y-%m-%d"))
    assert kinds == {"n": "number", "d": "date"}
    assert warnings == ["left out, the same as an earlier column: 'twin' ('d')"]


def test_text_that_differs_in_every_row_is_an_identifier_in_a_short_table_too():
    text = [f"site {i}" for i in range(12)]
    for cells in (text, pd.Categorical(text), [*text[:-1], None]):
        kinds, warnings = found(n=NUMBER[:12], x=cells)
        assert kinds == {"n": "number"}
        assert warnings == ["left out, text that differs in every row, like an identifier: 'x'"]
    assert found(asked=True, n=NUMBER[:12], x=text)[0] == {"n": "number", "x": "category"}


@pytest.mark.parametrize("kind", [object, "timestamp[us, tz=Europe/Berlin][pyarrow]"])
def test_a_missing_date_among_objects_is_missing(kind):
    days = pd.Series([*DAYS[:-1].tz_localize("UTC"), pd.NaT], dtype=object).astype(kind)
    assert found(n=NUMBER, d=days)[0] == {"n": "number", "d": "date"}


def test_rare_words_among_numbers_are_told_as_wrong_and_many_are_text():
    few = [*map(str, NUMBER[:-1]), "broken"]
    table = pd.DataFrame({"x": few, "n": NUMBER * 2})
    _, read = given_table(table)
    with pytest.raises(
        InputError,
        match=r"row 60, column 'x': 'broken' is not a number.* or leave the column out with --exclude x$",
    ):
        table_of(read, max_categories=20)
    many = [f"A {i}" if i % 3 else str(NUMBER[i]) for i in range(N)]
    assert found(n=NUMBER, x=many)[1] == ["left out, text that differs in every row, like an identifier: 'x'"]


def test_columns_that_somebody_named_stay_or_are_refused():
    assert found(asked=True, x=np.arange(N), n=NUMBER, m=NUMBER)[0] == dict.fromkeys("xnm", "number")
    with pytest.raises(
        InputError, match=r"t.csv: --columns: cannot be learned from, text that differs .*: 'x'"
    ):
        found(asked=True, n=NUMBER, x=[f"text {i}" for i in range(N)])


def test_a_table_without_a_column_to_learn_from_says_why():
    with pytest.raises(InputError, match=r"has no column to learn from\nleft out, constant: 'x'"):
        found(x=np.zeros(N))


def test_the_number_of_categories_is_an_option():
    words = [f"w{i % 5}" for i in range(N)]
    assert found(4, n=NUMBER, x=words)[1] == [
        "left out, free text, or more categories than --max_categories 4: 'x' (5)"
    ]
    assert found(5, n=NUMBER, x=words)[0]["x"] == "category"


def test_categories_are_in_order_whatever_the_order_of_rows():
    for words, labels in [
        (["b", "a", "c"], ("a", "b", "c")),
        (["10", "9", "1"], ("1", "9", "10")),
        ([10, "a", 9], (10, 9, "a")),
    ]:
        frame = pd.DataFrame({"x": pd.Series(words * 4, dtype=object)})
        assert recognize(frame, ["x"], "t", (), 20, False).encoding.features[0].labels == labels


CSV = """code,ok,day,n,mixed
01,True,2020-01-31,1.5,1
1,FALSE,,2.5,x
x,NA,2020-02-01,nan,01
01,,2020-02-01,7,x
"""


def test_csv_keeps_the_words_as_they_are_written(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(CSV)
    table = table_of(read_mixed(read_table(path), path), max_categories=20)
    assert table.columns == [
        "code=01", "code=1", "code=x", "ok", "day", "n", "mixed=01", "mixed=1", "mixed=x"
    ]  # fmt: skip
    np.testing.assert_array_equal(table.values[:, 0], [1, 0, 0, 1])
    np.testing.assert_array_equal(table.values[:, 3], [1, 0, np.nan, np.nan])
    np.testing.assert_array_equal(table.values[:, 4], [18292, np.nan, 18293, 18293])


def frames():
    pandas = pd.DataFrame({
        "n": NUMBER, "w": pd.Categorical(WORDS), "t": TRUTH, "d": DAYS, "day": [day.date() for day in DAYS],
    })  # fmt: skip
    pandas.loc[3, "n"] = np.nan
    pandas["day"] = pandas["day"].shift(2)
    import pyarrow

    arrow = pyarrow.Table.from_pandas(pandas)
    assert pyarrow.types.is_dictionary(arrow.schema.field("w").type)
    yield "pandas", pandas
    yield "text", pandas.astype({"w": "string"})
    yield "polars", polars.from_arrow(arrow)
    yield "polars text", polars.from_arrow(arrow).with_columns(polars.col("w").cast(polars.String))
    yield "lazy", polars.from_arrow(arrow).lazy()
    yield "arrow", arrow


@pytest.mark.parametrize(("name", "frame"), list(frames()))
def test_frames_of_all_libraries_become_the_same_numbers(name, frame, tmp_path):
    reference = table_of(given_table(dict(frames())["pandas"])[1], max_categories=20)
    table = table_of(given_table(frame)[1], max_categories=20)
    assert table.fingerprint == reference.fingerprint
    assert table.encoding.mark == reference.encoding.mark
    if name == "arrow":
        import pyarrow.parquet

        pyarrow.parquet.write_table(frame, tmp_path / "t.parquet")
        table = table_of(read_table(tmp_path / "t.parquet"), max_categories=20)
        assert (table.fingerprint, table.encoding.mark) == (reference.fingerprint, reference.encoding.mark)


def test_labels_are_no_columns_to_learn_from():
    frame = pd.DataFrame({"n": NUMBER, "site": WORDS, "w": RNG.choice(["x", "y"], N)})
    table = table_of(given_table(frame)[1], labels=["site"], max_categories=20)
    assert table.columns == ["n", "w=x", "w=y"]
    assert table.labels["site"].tolist() == WORDS.tolist()


def test_the_day_of_a_datetime_is_not_lost():
    stamps = [datetime.datetime(2020, 1, 1, 12), datetime.datetime(2020, 1, 2, 18, 30)] * 5
    frame = pd.DataFrame({"d": stamps, "n": NUMBER[:10]})
    feature = recognize(frame, ["d"], "t", (), 20, False).encoding.features[0]
    assert feature.resolution == "s"
    assert feature.decode(feature.encode(frame["d"]), np.ones(1, bool)).tolist() == stamps


def test_of_a_table_with_the_copus_columns_these_are_learned_from(root):
    from autoenc.data.read import COPUS_COLUMNS

    table = table_of(read_table(root / "data" / "stains.csv"), max_categories=20)
    assert {*table.columns} <= {*COPUS_COLUMNS}
    assert len(table.columns) > 20
