from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import optuna
import pytest

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.errors import InputError
from autoenc.record.fits import FitRecord, records_in
from autoenc.record.identity import Context
from autoenc.record.storage import journal_path, open_storage
from autoenc.system.paths import keep_aside

RECIPE = Recipe(epochs=2)
CONTEXT = Context("f" * 64, ("a", "b"), "maxabs", 42, 0.2, "{}", 3)
ASSETS = Path(__file__).parents[1] / "assets"


def fit_of(*architecture: int, seed: int = 42) -> Fit:
    return Fit(architecture, 3, RECIPE, seed)


def outcome_of(loss: float, failure: str | None = None) -> Outcome:
    return Outcome([loss * 2, loss / 3], [loss / 7, loss], loss / 11, 0.25, {}, 1, failure)


def filled(path: Path, n: int = 3) -> FitRecord:
    record = FitRecord.of(open_storage(path), CONTEXT)
    record.note_search({"settings": {}})
    for i in range(n):
        record.add(fit_of(8 * (i + 1)), outcome_of(0.1 * (i + 1)), "native")
    return record


def reopened(path: Path) -> FitRecord:
    return FitRecord.of(open_storage(path), CONTEXT)


def test_a_record_gives_back_every_bit(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    awkward = Outcome([1 / 3, 2e-308], [0.1 + 0.2, 1e22 / 7], 5e-324, 1.5, {}, 1)
    filled(path, 0).add(fit_of(64, 32), awkward, "torch")
    assert reopened(path).outcomes() == {fit_of(64, 32): awkward}


@pytest.mark.parametrize("place", ["journal", "sqlite"])
def test_every_storage_keeps_the_same(place: str, tmp_path: Path) -> None:
    where = journal_path(tmp_path) if place == "journal" else f"sqlite:///{tmp_path}/study.db"
    record = FitRecord.of(open_storage(where), CONTEXT)
    record.add(fit_of(16), outcome_of(0.5), "native")
    record.add(fit_of(8), outcome_of(0.5, "it diverged"), "native")
    found = FitRecord.of(open_storage(where), CONTEXT).outcomes()
    assert found[fit_of(16)] == outcome_of(0.5)
    assert found[fit_of(8)].failure == "it diverged"


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "0" * 64}, {"columns": ("b", "a")}, {"scaling": "none"}, {"split_seed": 1},
        {"test_share": 0.3}, {"latent_dim": 4}, {"division": '{"group": "0"}'},
    ],
)  # fmt: skip
def test_whatever_determines_a_fit_is_in_its_identity(change: dict[str, object]) -> None:
    other = dataclasses.replace(CONTEXT, **change)  # type: ignore[arg-type]
    assert other.identity(fit_of(8)) != CONTEXT.identity(fit_of(8))
    assert other.name != CONTEXT.name


def test_architecture_recipe_seed_and_fold_are_in_the_identity() -> None:
    fit = fit_of(8)
    other = [fit_of(8, 8), fit_of(16), fit_of(8, seed=1), dataclasses.replace(fit, fold="1/5")]
    recipes = [dataclasses.replace(RECIPE, dropout=0.2), dataclasses.replace(RECIPE, patience=3)]
    fits = [fit, *other, *(dataclasses.replace(fit, recipe=recipe) for recipe in recipes)]
    assert len({CONTEXT.identity(fit) for fit in fits}) == len(fits)


def test_an_identity_does_not_change_between_versions() -> None:
    assert CONTEXT.name == "latent3-3c0fb7722348"
    assert CONTEXT.identity(fit_of(64, 32)) == "ff665fb820a1b171ed53fb55fa69d849"


def test_other_searches_never_mix_in(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    filled(path)
    other = dataclasses.replace(CONTEXT, latent_dim=4)
    assert FitRecord.of(open_storage(path), other).outcomes() == {}
    assert len(reopened(path).outcomes()) == 3
    assert {record.context.name for record in records_in(open_storage(path))} == {CONTEXT.name, other.name}


def test_a_success_stands_and_a_failure_gives_way(tmp_path: Path) -> None:
    record = filled(journal_path(tmp_path), 0)
    record.add(fit_of(8), outcome_of(9.0, "first try"), "native")
    record.add(fit_of(8), outcome_of(0.1), "native")
    record.add(fit_of(8), outcome_of(0.2, "later"), "native")
    assert record.outcomes() == {fit_of(8): outcome_of(0.1)}


def test_a_journal_torn_at_any_byte_of_its_last_record_loses_only_that(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    filled(path)
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    assert b"test_losses" in whole[start:] or b"intermediate_values" in whole[start:]
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        record = reopened(path)
        assert list(record.outcomes()) == [fit_of(8), fit_of(16)], end
    record.add(fit_of(24), outcome_of(0.3), "native")
    assert list(reopened(path).outcomes()) == [fit_of(8), fit_of(16), fit_of(24)]


def test_a_journal_torn_anywhere_can_be_continued(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    filled(path)
    whole = path.read_bytes()
    for end in range(0, len(whole), 31):
        path.write_bytes(whole[:end])
        before = reopened(path).outcomes()
        assert list(before) == [fit_of(8), fit_of(16), fit_of(24)][: len(before)]
        reopened(path).add(fit_of(40), outcome_of(0.4), "native")
        assert list(reopened(path).outcomes()) == [*before, fit_of(40)]


def test_a_last_line_that_is_whole_but_no_json_is_dropped(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    filled(path)
    with path.open("ab") as file:
        file.write(b"\0" * 100 + b"\n")
    assert len(reopened(path).outcomes()) == 3


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_lock_that_a_dead_process_left_is_no_obstacle(kind: str, tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    filled(path)
    if kind == "file":
        Path(f"{path}.lock").touch()
    else:  # what earlier versions used
        Path(f"{path}.lock").symlink_to(path)
    record = reopened(path)
    record.add(fit_of(80), outcome_of(0.4), "native")
    assert len(record.outcomes()) == 4


def test_a_journal_needs_no_symbolic_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.symlink")  # as on Windows, where they need special rights
    path = journal_path(tmp_path)
    filled(path)
    assert len(reopened(path).outcomes()) == 3
    assert not Path(f"{path}.lock").exists()


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    path.write_text('{"a": 1}\n{"b": 2}\n')
    with pytest.raises(InputError, match="cannot be read as a record"):
        open_storage(path)


def test_each_fit_is_one_line_of_the_journal(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    record = filled(path, 0)
    before = path.read_bytes().count(b"\n")
    record.add(fit_of(8), outcome_of(0.1), "native")
    assert path.read_bytes().count(b"\n") == before + 1


def test_optuna_reads_the_record_by_itself(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    filled(path)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    study = optuna.load_study(study_name=CONTEXT.name, storage=storage)
    assert study.best_value == 0.1
    assert study.best_trial.params == {"n_layers": 1, "width_1": 8}


def test_keeping_aside_never_overwrites(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    kept = []
    for text in "abc":
        path.write_text(text)
        kept.append(keep_aside(path))
    assert [k.read_text() for k in kept if k] == ["a", "b", "c"]
    assert keep_aside(path) is None


def test_the_first_format_is_still_read() -> None:
    """The asset was written when the format was new; it must be readable for ever."""
    expected = json.loads((ASSETS / "record-format1.json").read_text())
    (record,) = records_in(open_storage(ASSETS / "record-format1.journal", read_only=True))
    found = {
        "-".join(map(str, fit.architecture)): [
            None if outcome.failure else outcome.final_test_loss,
            None if outcome.failure else outcome.train_losses[0],
            outcome.failure,
        ]
        for fit, outcome in record.outcomes().items()
    }
    assert found == expected["outcomes"]
    assert record.search["settings"]["epochs"] == expected["epochs"]


@pytest.mark.parametrize("place", ["journal", "sqlite"])
def test_a_long_curve_is_read_again(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = journal_path(tmp_path) if place == "journal" else f"sqlite:///{tmp_path}/study.db"
    long = Outcome([0.5] * 120, [1 / n for n in range(1, 121)], 0.5, 0.25, {}, -1)
    FitRecord.of(open_storage(where), CONTEXT).add(fit_of(16), long, "native")
    assert FitRecord.of(open_storage(where), CONTEXT).outcomes() == {fit_of(16): long}
    assert capsys.readouterr().err == ""
