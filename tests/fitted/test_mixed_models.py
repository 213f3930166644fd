"""Models of mixed columns: what they take and give back, and what their files hold."""

from __future__ import annotations

import datetime
import re
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars
import pytest
import torch

import autoenc
from autoenc import load_model
from autoenc.errors import InputError
from autoenc.fitted.autoencoder import model_content, model_of_content, save_model
from autoenc.fitted.ensemble import FittedEnsemble, save_ensemble

N = 80
OPTIONS = {
    "hidden_dims_search": "8", "max_layers": 1, "epochs": 40, "scaling": "standard", "norm": "none",
    "dropout": 0, "initial_lr": 1e-2, "encode": True, "quiet": True, "latent_dim": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b", "c"], N)
    start = pd.Timestamp("2020-01-01", tz=ZoneInfo("Europe/Berlin"))  # polars knows none of pytz
    return pd.DataFrame({
        "id": [f"row {i}" for i in range(N)],
        "kind": pd.Categorical(kind),
        "size": rng.normal(size=N) + 5 * (kind == "a"),
        "ok": kind == "b",
        "day": pd.Timestamp(2020, 1, 1) + pd.to_timedelta(rng.integers(0, 9, N) + 100 * (kind == "c"), "D"),
        "at": start + pd.to_timedelta(rng.integers(0, 10**6, N), "s"),
        "word": rng.choice(["x", "y"], N),
    }, index=np.arange(N) * 2)  # fmt: skip


@pytest.fixture(scope="module")
def model(mixed):
    with pytest.warns(UserWarning, match="left out, text that differs in every row"):
        return autoenc.search(mixed, **OPTIONS).best_model()


def test_a_mixed_frame_goes_in_and_comes_back(model, mixed):
    latent = model.encode(mixed)
    assert list(latent.columns) == ["latent_1", "latent_2", "latent_3"]
    found = model.reconstruct(mixed)
    assert list(found.columns) == ["kind", "size", "ok", "day", "at", "word"]
    pd.testing.assert_index_equal(found.index, mixed.index)
    assert (found["kind"] == mixed["kind"].astype(str)).mean() > 0.9
    assert (found["ok"] == mixed["ok"]).mean() > 0.9
    assert str(found["at"].dt.tz) == "Europe/Berlin"
    assert found["day"].dt.normalize().equals(found["day"])
    assert np.corrcoef(found["day"].astype(np.int64), mixed["day"].astype(np.int64))[0, 1] > 0.9
    assert np.corrcoef(found["size"], mixed["size"])[0, 1] > 0.8


def test_other_forms_of_the_same_rows_come_to_the_same(model, mixed):
    latent = model.encode(mixed).to_numpy()
    text = mixed.astype({"kind": str, "ok": str}).assign(day=mixed["day"].dt.strftime("%Y-%m-%d"))
    np.testing.assert_array_equal(model.encode(text[text.columns[::-1]]).to_numpy(), latent)
    ordered = mixed[model.encoding.names]
    np.testing.assert_array_equal(model.encode(ordered.to_numpy()), latent)
    lists = {name: ordered[name].tolist() for name in ordered}
    np.testing.assert_array_equal(model.encode(lists).to_numpy(), latent)
    frame = polars.from_pandas(ordered.assign(kind=mixed["kind"].astype(str)))
    np.testing.assert_array_equal(model.encode(frame).to_numpy(), latent)
    back = model.reconstruct(frame)
    assert back.schema["kind"] == polars.String
    assert back.schema["at"] == polars.Datetime("ms", "Europe/Berlin")
    assert back["kind"].to_list() == model.reconstruct(mixed)["kind"].tolist()
    numbers = model.encoding.encode(mixed)
    np.testing.assert_array_equal(model.encode(numbers), latent)
    assert model.reconstruct(numbers).shape == numbers.shape
    assert model.reconstruct(ordered.to_numpy()).dtype == object


def test_unknown_categories_count_as_missing_and_are_told(model, mixed):
    other = mixed.astype({"kind": object})
    other.iloc[:2, 1] = "new"
    missing = mixed.copy()
    missing.iloc[:2, 1] = None
    told = "column 'kind': 'new' is no category that was learned from; 2 such cells count as missing"
    with pytest.warns(UserWarning, match=told):
        found = model.encode(other)
    pd.testing.assert_frame_equal(found, model.encode(missing))


def test_wrong_cells_columns_and_shapes_are_named(model, mixed):
    with pytest.raises(InputError, match="not there: kind, word"):
        model.encode(mixed.drop(columns=["kind", "word"]))
    with pytest.raises(InputError, match="column 'size' has 'big' in row 1"):
        model.encode(mixed.assign(size="big"))
    with pytest.raises(InputError, match="column 'ok' has 'perhaps' in row 1"):
        model.encode(mixed.assign(ok="perhaps"))
    with pytest.raises(InputError, match=r"must be of shape \[rows, 6\], got \[80, 7\]"):
        model.encode(mixed.to_numpy())
    with pytest.raises(InputError, match="finite or NaN"):
        model.encode(mixed.assign(size=np.inf))
    with pytest.raises(InputError, match="got a int"):
        model.encode(3)


def test_a_file_holds_all_that_is_needed(model, mixed, tmp_path):
    save_model(tmp_path / "m.pth", model)
    again = load_model(tmp_path / "m.pth")
    assert again.encoding == model.encoding
    pd.testing.assert_frame_equal(again.encode(mixed), model.encode(mixed))
    pd.testing.assert_frame_equal(again.reconstruct(mixed), model.reconstruct(mixed))
    pd.testing.assert_frame_equal(again.impute(mixed), mixed)


def test_a_file_of_numbers_alone_is_as_before(mixed):
    options = {**OPTIONS, "encode": False, "columns": "size,ok", "latent_dim": 1}
    assert "encoding" not in model_content(autoenc.search(mixed, **options).best_model())


def test_a_changed_description_is_refused(model, tmp_path):
    content = model_content(model)
    save_model(tmp_path / "m.pth", model)
    stored = torch.load(tmp_path / "m.pth", weights_only=True)
    stored["encoding"][0]["labels"][0] = "z"
    torch.save(stored, tmp_path / "changed.pth")
    with pytest.raises(InputError, match="are not those that were written"):
        load_model(tmp_path / "changed.pth")
    with pytest.raises(ValueError, match="of its columns"):
        model_of_content({**content, "encoding": content["encoding"][1:]})
    wrong = {**content["scaling"], "scale": content["scaling"]["scale"] * 2}
    with pytest.raises(ValueError, match="roots of their shares"):
        model_of_content({**content, "scaling": wrong})


def test_ensembles_take_mixed_rows(model, mixed, tmp_path):
    with pytest.warns(UserWarning, match="left out"):
        other = autoenc.search(mixed, **{**OPTIONS, "latent_dim": 2}).best_model()
    ensemble = FittedEnsemble([model, other], {})
    save_ensemble(tmp_path / "e.pth", ensemble)
    again = load_model(tmp_path / "e.pth")
    pd.testing.assert_frame_equal(again.reconstruct(mixed), ensemble.reconstruct(mixed))
    holes = mixed.copy()
    holes.loc[4, "kind"] = holes.loc[8, "size"] = None
    pd.testing.assert_frame_equal(again.impute(holes), ensemble.impute(holes))
    options = {**OPTIONS, "encode": False, "columns": "size,ok", "latent_dim": 1}
    with pytest.raises(ValueError, match="the same columns"):
        FittedEnsemble([model, autoenc.search(mixed, **options).best_model()], {})


def holes_in(frame: pd.DataFrame) -> pd.DataFrame:
    frame, rng = frame.copy(), np.random.default_rng(5)
    for name in frame.columns:
        frame[name] = frame[name].mask(rng.random(N) < 0.2)
    return frame


@pytest.mark.parametrize("changed", [
    {}, {"kind": "string", "ok": "boolean"}, {"kind": object, "ok": object, "word": "category"},
    {"size": "Float64", "day": "datetime64[s]", "at": "datetime64[ms, UTC]"}, {"size": "float32"},
    {"day": "period[D]"}, {"kind": "string[pyarrow]", "ok": "bool[pyarrow]", "day": "date32[day][pyarrow]"},
])  # fmt: skip
def test_missing_cells_are_filled_and_others_keep_bits_and_type(model, mixed, changed):
    base = mixed.astype({"ok": "boolean", **changed})
    holes = holes_in(base)
    filled = model.impute(holes)
    assert filled.dtypes.to_dict() == holes.dtypes.to_dict()
    pd.testing.assert_index_equal(filled.index, holes.index)
    pd.testing.assert_series_equal(filled["id"], holes["id"])  # it is not learned from
    for name in model.encoding.names:
        observed = holes[name].notna()
        pd.testing.assert_series_equal(filled[name][observed], holes[name][observed])
        assert filled[name].notna().all(), name
    reconstructed = model.reconstruct(holes)
    missing = holes["kind"].isna()
    assert filled["kind"][missing].astype(str).tolist() == reconstructed["kind"][missing].tolist()


def test_text_is_filled_with_text_in_its_manner(model, mixed):
    holes = holes_in(mixed.astype({"ok": object}))
    holes["ok"] = holes["ok"].map({True: "TRUE", False: "FALSE"})
    holes["day"] = holes["day"].map(lambda day: None if pd.isna(day) else day.strftime("%Y-%m-%d"))
    holes["size"] = holes["size"].map(lambda size: None if pd.isna(size) else str(size))
    filled = model.impute(holes)
    assert set(filled["ok"]) == {"TRUE", "FALSE"}
    assert filled["day"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    assert filled["size"].astype(float).notna().all()
    days = holes_in(mixed).assign(day=[None, *(day.date() for day in mixed["day"][1:])])
    assert type(model.impute(days)["day"].iloc[0]) is datetime.date


def test_an_unknown_category_is_observed_and_stays(model, mixed):
    holes = mixed.astype({"kind": object})
    holes.loc[0, "kind"], holes.loc[2, "kind"] = "new", None
    with pytest.warns(UserWarning, match="'new' is no category"):
        filled = model.impute(holes)
    assert filled.loc[0, "kind"] == "new"
    assert filled.loc[2, "kind"] in {"a", "b", "c"}


def test_polars_frames_are_filled_in_their_types(model, mixed):
    plain = holes_in(mixed.astype({"kind": object, "ok": object})).where(lambda frame: frame.notna(), None)
    enum = polars.Enum(["a", "b", "c", "d"])
    frame = polars.DataFrame(
        {name: [None if pd.isna(cell) else cell for cell in plain[name]] for name in plain.columns}
    ).with_columns(
        polars.col("kind").cast(enum), polars.col("word").cast(polars.Categorical),
        polars.col("day").cast(polars.Date), polars.col("size").cast(polars.Float32),
    )  # fmt: skip
    for given in (frame, frame.lazy()):
        filled = model.impute(given)
        assert filled.schema == frame.schema
        assert filled.columns == frame.columns
        assert filled["id"].equals(frame["id"])
        for name in model.encoding.names:
            assert filled[name].null_count() == 0, name
            observed = frame[name].is_not_null()
            assert filled[name].filter(observed).equals(frame[name].filter(observed))
    small = frame.with_columns(polars.col("kind").cast(polars.String))
    small = small.with_columns(polars.when(polars.col("kind") == "a").then(polars.lit("a")).alias("kind"))
    filled = model.impute(small.with_columns(polars.col("kind").cast(polars.Enum(["a"]))))
    assert filled["kind"].null_count() == 0
    words = frame.with_columns(polars.col("ok").cast(polars.String).cast(polars.Categorical))
    filled = model.impute(words)
    assert filled.schema == words.schema
    assert {*filled["ok"]} == {"true", "false"}


def test_arrays_are_filled_in_their_type():
    rows = np.random.default_rng(0).random((60, 4)).astype(np.float32)
    rows[3, 1] = np.nan
    options = {**OPTIONS, "encode": False}
    model = autoenc.search(rows, **options).best_model()
    for given in (rows, torch.from_numpy(rows), np.ma.masked_invalid(rows)):
        filled = model.impute(given)
        assert filled.dtype == np.float32
        assert not np.isnan(filled).any()
        np.testing.assert_array_equal(np.delete(filled, 3, axis=0), np.delete(rows, 3, axis=0))
    frame = pd.DataFrame(rows, columns=["x1", "x2", "x3", "x4"]).assign(key=range(60))
    assert model.impute(frame)["x2"].iloc[3] == filled[3, 1]


def test_mixed_arrays_are_filled(model, mixed):
    cells = mixed[model.encoding.names].to_numpy(object)
    cells[5, 0] = cells[6, 1] = cells[7, 3] = None
    filled = model.impute(cells)
    assert filled[5, 0] in {"a", "b", "c"}
    assert isinstance(filled[6, 1], float)
    assert isinstance(filled[7, 3], datetime.datetime)
    assert (np.delete(filled, [5, 6, 7], axis=0) == np.delete(cells, [5, 6, 7], axis=0)).all()


def test_whole_numbers_are_rounded_where_the_type_needs_it():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "a": pd.array(rng.integers(-5, 5, 60), "Int64"), "b": pd.array(rng.integers(0, 9, 60), "UInt8"),
        "c": rng.integers(0, 9, 60), "d": rng.random(60),
    })  # fmt: skip
    frame.loc[:9, ["a", "b", "d"]] = pd.NA
    frame.loc[:9, "c"] = -999
    options = {**OPTIONS, "encode": False, "na_values": "-999", "latent_dim": 2}
    filled = autoenc.search(frame, **options).best_model().impute(frame)
    assert filled.dtypes.tolist() == frame.dtypes.tolist()
    assert (filled["c"] >= 0).all()
    assert filled.notna().all(axis=None)


def test_a_model_without_names_says_what_it_takes(tmp_path):
    torch.save(autoenc.DynamicAutoencoder(4, 2, (8,)).state_dict(), tmp_path / "bare.pth")
    with pytest.raises(InputError, match="pass an array"):
        load_model(tmp_path / "bare.pth").impute(pd.DataFrame(np.zeros((3, 4))))


def test_the_example_of_the_documentation_runs(root):
    section = (root / "docs" / "own-table.md").read_text().split("## Mixed columns\n")[1]
    found = {}
    exec(compile(section.split("```python\n")[1].split("```")[0], "own-table.md", "exec"), found)
    assert found["model"].encoding.names == ["species", "mass", "seen"]
    assert found["model"].impute(found["birds"]).notna().all(axis=None)


def test_of_an_array_columns_that_were_left_out_are_passed_over():
    rows = np.random.default_rng(0).normal(size=(60, 5))
    rows[:, 1], rows[:, 3] = 7.0, rows[:, 0]
    rows[2, 4] = np.nan
    with pytest.warns(UserWarning, match="left out"):
        model = autoenc.search(rows, **{**OPTIONS, "latent_dim": 2}).best_model()
    assert model.columns == ["x1", "x3", "x5"]
    latent = model.encode(rows)
    np.testing.assert_array_equal(latent, model.encode(rows[:, [0, 2, 4]]))
    assert model.reconstruct(rows).shape == (60, 3)
    filled = model.impute(rows)
    assert filled.dtype == float
    assert np.flatnonzero(filled != rows).tolist() == [2 * 5 + 4]
    np.testing.assert_array_equal(filled[:, [0, 2, 4]], model.impute(rows[:, [0, 2, 4]]))
    for width in (2, 4):
        with pytest.raises(InputError, match=r"must be of shape \[rows, 3\]"):
            model.encode(rows[:, :width])


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", r"2020-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        ("%Y-%m-%d %H:%M:%S+09:00", r"2020-\d\d-\d\d \d\d:\d\d:\d\d\+09:00"),
        ("%Y-%m-%dT%H:%M:%S-0330", r"2020-\d\d-\d\dT\d\d:\d\d:\d\d-0330"),
        ("%Y-%m-%dT00:00:00", r"2020-\d\d-\d\dT00:00:00"),
        ("%Y-%m-%d", r"2020-\d\d-\d\d"),
    ],
)
def test_dates_are_filled_in_as_text_with_the_time_and_the_zone_of_the_others(written, pattern):
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2020-02-01") + pd.to_timedelta(rng.integers(0, 10**6, 60), "s")
    rows = pd.DataFrame({"at": days.strftime(written), "x": rng.normal(size=60)})
    rows.loc[7, "at"] = None
    model = autoenc.search(rows, **OPTIONS | {"latent_dim": 1, "epochs": 2}).best_model()
    filled = model.impute(rows)["at"]
    assert re.fullmatch(pattern, filled[7])
    here = pd.to_datetime(filled, utc=True)
    expected = model.reconstruct(rows)["at"][7].tz_localize("UTC")
    assert abs(here[7] - expected) < pd.Timedelta("1s")


def test_times_among_objects_are_filled_in_the_zone_of_the_others():
    rng = np.random.default_rng(0)
    days = pd.date_range("2020-02-01", periods=60, freq="5h", tz="Asia/Tokyo")
    rows = pd.DataFrame({"at": pd.Series([*days], dtype=object), "x": rng.normal(size=60)})
    rows.loc[7, "at"] = None
    model = autoenc.search(rows, **OPTIONS | {"latent_dim": 1, "epochs": 2}).best_model()
    filled = model.impute(rows)["at"][7]
    assert filled.utcoffset() == datetime.timedelta(hours=9)
    assert filled.tz_convert("UTC").tz_localize(None) == model.reconstruct(rows)["at"][7]


LABELS = [
    pd.RangeIndex(4), pd.Index([2019, "a", 2.5, None]), pd.date_range("2020-01-01", periods=4),
    pd.MultiIndex.from_product([["x", "y"], [0, 1]]),
]  # fmt: skip


@pytest.mark.parametrize("labels", LABELS, ids=["numbers", "mixed", "dates", "two levels"])
@pytest.mark.parametrize("encode", [False, True])
def test_columns_whose_labels_are_no_text_are_matched_and_given_back(labels, encode):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(40, 4)), columns=labels)
    rows.iloc[3, 1] = np.nan
    model = autoenc.search(rows, **OPTIONS | {"encode": encode, "epochs": 2}).best_model()
    assert model.columns == [str(label) for label in labels]
    assert model.encode(rows).shape == (40, 3)
    assert list(model.reconstruct(rows.iloc[:, ::-1]).columns) == list(labels)
    filled = model.impute(rows)
    pd.testing.assert_index_equal(filled.columns, rows.columns)
    assert filled.notna().all(axis=None)
    pd.testing.assert_index_equal(rows.columns, labels)  # what was given is as it was


@pytest.mark.parametrize("library", ["polars", "arrow", "arrow types of pandas"])
def test_times_come_back_in_their_zone_from_any_library(library, mixed):
    frame = mixed[["size", "at"]].reset_index(drop=True)
    frame.loc[5, "at"] = pd.NaT
    rows = {
        "polars": lambda: polars.from_pandas(frame),
        "arrow": lambda: polars.from_pandas(frame).to_arrow(),
        "arrow types of pandas": lambda: frame.astype({"at": "timestamp[us, Europe/Berlin][pyarrow]"}),
    }[library]()
    options = OPTIONS | {"latent_dim": 1, "epochs": 2}
    expected = autoenc.search(frame, **options).best_model().reconstruct(frame)["at"]
    found = autoenc.search(rows, **options).best_model().reconstruct(rows)["at"]
    if library == "polars":
        assert found.dtype.time_zone == "Europe/Berlin"
        found = found.to_pandas()
    assert (found == expected).all()
    assert str(found.dt.tz) == "Europe/Berlin"
