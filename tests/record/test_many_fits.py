"""Records of many fits: written together, and each read when it is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from autoenc.engines.fit import Fit, Outcome
from autoenc.engines.recipe import Recipe
from autoenc.errors import InputError
from autoenc.record import fits as fits_module
from autoenc.record.digest import digest_of
from autoenc.record.fits import FitRecord
from autoenc.record.identity import Context
from autoenc.record.storage import open_storage

CONTEXT = Context("f" * 64, ("a", "b", "é"), "maxabs", 42, 0.2, "{}", 2)
KINDS = ("journal", "sqlite")


def make_fits(n: int) -> list[tuple[Fit, Outcome]]:
    """Fits of different stacks and seeds; every seventh failed."""
    ended = []
    for i in range(n):
        failure = "ValueError: odd" if i % 7 == 6 else None
        curve = [] if failure else [1 / (i + 2), 1e-5 * i, float(i)]
        final = float("nan") if failure else 0.5 + i
        outcome = Outcome(curve, curve, final, 0.01 * i, {}, 1, failure, explained=None if failure else 0.1)
        ended.append((Fit((8 + i % 5, 4), 2, Recipe(epochs=3, dropout=0.1 * (i % 3)), i), outcome))
    return ended


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return tmp_path / "study.journal" if request.param == "journal" else f"sqlite:///{tmp_path / 's.db'}"


def open_record(place: Path | str) -> FitRecord:
    return FitRecord.of(open_storage(place), CONTEXT)


def as_text(outcomes) -> dict[str, str]:
    return {fit.digest: repr(outcome) for fit, outcome in outcomes.items()}


class TestTogether:
    def test_holds_what_one_by_one_holds(self, place: Path | str, tmp_path: Path) -> None:
        ended = make_fits(23)
        together, alone = open_record(place), open_record(tmp_path / "alone.journal")
        together.add_all(ended[:20], "native")
        together.add_all(ended[20:], "native")
        for fit, outcome in ended:
            alone.add(fit, outcome, "native")
        again = open_record(place)
        assert as_text(again.outcomes()) == as_text(alone.outcomes()) == as_text(together.outcomes())
        assert [trial.number for trial in again.trials()] == list(range(23))
        for ours, theirs in zip(again.trials(), alone.trials(), strict=True):
            assert (ours.state, ours.value, ours.params) == (theirs.state, theirs.value, theirs.params)
            assert ours.distributions == theirs.distributions
            assert ours.intermediate_values == theirs.intermediate_values

    def test_next_to_trials_of_another_study(self, place: Path | str) -> None:
        storage = open_storage(place)
        other = FitRecord.of(storage, Context("e" * 64, ("a",), "maxabs", 1, 0.2, "{}", 2))
        record = FitRecord.of(storage, CONTEXT)
        for start in range(0, 12, 4):
            other.add_all(make_fits(3), "native")
            record.add_all(make_fits(12)[start : start + 4], "native")
        assert [trial.number for trial in record.trials()] == list(range(12))
        assert len(open_record(place).outcomes().items()) == 12

    def test_takes_one_flush(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        record, flushed = open_record(tmp_path / "study.journal"), []
        fsync = os.fsync
        monkeypatch.setattr(os, "fsync", lambda number: flushed.append(fsync(number)))
        record.add_all(make_fits(50), "native")
        assert len(flushed) == 1

    def test_of_none_writes_nothing(self, place: Path | str) -> None:
        record = open_record(place)
        record.add_all([], "native")
        assert not record.trials()

    def test_a_full_disk_leaves_none_and_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = open_record(tmp_path / "study.journal")

        def full(number: int) -> None:
            raise OSError(28, "No space left on device")

        told = []
        record.on_add = lambda fit, outcome: told.append(fit)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                record.add_all(make_fits(3), "native")
        assert not told


def test_optuna_reads_what_was_written_together(place: Path | str, tmp_path: Path) -> None:
    record, ended = open_record(place), make_fits(9)
    record.add_all(ended, "native")
    storage = JournalStorage(JournalFileBackend(str(place))) if isinstance(place, Path) else place
    trials = optuna.load_study(study_name=CONTEXT.name, storage=storage).trials
    assert [trial.user_attrs["identity"] for trial in trials] == [CONTEXT.identity(fit) for fit, _ in ended]
    assert [trial.value for trial in trials] == [
        None if outcome.failure else outcome.final_test_loss for _, outcome in ended
    ]
    assert trials[0].params == {"n_layers": 2, "width_1": 8, "width_2": 4}


class TestReading:
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Path:
        open_record(tmp_path / "study.journal").add_all(make_fits(40), "native")
        return tmp_path / "study.journal"

    def test_reads_only_what_is_asked_for(self, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        record, n_read = open_record(journal), []
        from_trial = fits_module._from_trial
        monkeypatch.setattr(fits_module, "_from_trial", lambda *given: n_read.append(1) or from_trial(*given))
        outcomes = record.outcomes()
        fit, outcome = make_fits(40)[11]
        assert len(outcomes) == 40
        assert fit in outcomes
        assert repr(outcomes[fit]) == repr(outcome)
        assert Fit((3,), 2, Recipe()) not in outcomes
        assert len(n_read) == 1
        assert as_text(outcomes) == as_text(dict(make_fits(40)))

    def test_many_at_once_are_the_same_as_one_by_one(self, journal: Path) -> None:
        fits = [fit for fit, _ in make_fits(40)][:30]
        together, alone = open_record(journal).outcomes(), open_record(journal).outcomes()
        together.read_ahead([*fits, Fit((3,), 2, Recipe())])
        assert {fit.digest: repr(together[fit]) for fit in fits} == {
            fit.digest: repr(alone[fit]) for fit in fits
        }
        assert len(together) == 40
        assert as_text(together) == as_text(alone)

    def test_a_journal_that_was_read_is_gone_on_with(self, journal: Path) -> None:
        read = open_storage(journal, read_only=True)
        more = make_fits(45)[40:]
        open_record(journal).add_all(more, "native")
        with journal.open("ab") as file:
            file.write(b'{"op_code":')  # as a killed process leaves it
        storage = open_storage(journal, opened=read)
        assert storage is read
        assert as_text(FitRecord.of(storage, CONTEXT).outcomes()) == as_text(dict(make_fits(45)))
        assert as_text(open_record(journal).outcomes()) == as_text(dict(make_fits(45)))

    def test_one_that_took_its_place_is_read_anew(self, journal: Path, tmp_path: Path) -> None:
        read = open_storage(journal, read_only=True)
        journal.rename(tmp_path / "kept")
        open_record(journal).add_all(make_fits(3), "native")
        storage = open_storage(journal, opened=read)
        assert storage is not read
        assert as_text(FitRecord.of(storage, CONTEXT).outcomes()) == as_text(dict(make_fits(3)))

    def test_last_attempt_counts_until_one_succeeds(self, tmp_path: Path) -> None:
        (fit, good), (_, bad) = make_fits(1)[0], make_fits(7)[6]
        worse = Outcome([], [], float("nan"), 9.0, {}, failure="later")
        second = Outcome([1.0], [2.0], 3.0, 1.0, {})
        for attempts, expected in (([bad, worse], worse), ([bad, good, worse], good), ([good, second], good)):
            record = open_record(tmp_path / f"{len(list(tmp_path.iterdir()))}.journal")
            record.add_all([(fit, attempt) for attempt in attempts], "native")
            assert repr(record.outcomes()[fit]) == repr(expected)
            assert as_text(record.outcomes()) == as_text({fit: expected})

    def test_what_is_set_stands(self, journal: Path) -> None:
        outcomes, (fit, _) = open_record(journal).outcomes(), make_fits(3)[2]
        other = Outcome([1.0], [2.0], 3.0, 1.0, {})
        outcomes[fit] = other
        assert outcomes[fit] is other
        assert dict(outcomes)[fit] is other
        assert len(outcomes) == 40

    def test_lines_of_earlier_versions(self, journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Their digest is that of what a line says."""
        expected = as_text(open_record(journal).outcomes())
        lines = []
        for line in journal.read_text().splitlines():
            said = json.loads(line)
            del said["sum"]
            lines.append(json.dumps({**said, "sum": digest_of(said)[:16]}, separators=(",", ":")))
        journal.write_text("\n".join([*lines, ""]))
        assert as_text(open_record(journal).outcomes()) == expected
        changed = [line.replace('"seed":12', '"seed":13') for line in lines]
        journal.write_text("\n".join([*changed, ""]))
        assert len(open_record(journal).outcomes().items()) == 39
        assert "damaged" in capsys.readouterr().err

    def test_a_line_that_was_changed_meanwhile_is_refused(self, journal: Path) -> None:
        outcomes = open_record(journal).outcomes()
        journal.write_bytes(journal.read_bytes().replace(b'"seed":12,', b'"seed":13,'))
        with pytest.raises(InputError, match="changed while it was in use"):
            dict(outcomes)

    def test_a_changed_byte_costs_its_line(self, journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
        journal.write_bytes(journal.read_bytes().replace(b'"seed":12,', b'"seed":13,'))
        outcomes = dict(open_record(journal).outcomes())
        assert set(outcomes) == {fit for fit, _ in make_fits(40)} - {make_fits(13)[12][0]}
        assert "damaged" in capsys.readouterr().err

    def test_memory_grows_by_little_for_a_fit(self, tmp_path: Path) -> None:
        path, n_fits = tmp_path / "study.journal", 2000
        open_record(path).add_all(make_fits(n_fits), "native")
        tracemalloc.start()
        try:
            record = open_record(path)
            outcomes = record.outcomes()
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert len(outcomes) == n_fits
        assert held < 1000 * n_fits + 2**20  # bytes; a trial as Optuna keeps it takes 5,000


KILLED = """
import os, sys
from pathlib import Path
from test_many_fits import make_fits, open_record
record = open_record(Path(sys.argv[1]))
for start in range(0, 300, 3):
    record.add_all(make_fits(start + 3)[start:], "native")
    print(start + 3, flush=True)
"""


def test_nothing_that_was_reported_as_done_is_lost_by_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path.cwd()}"},
    )  # fmt: skip
    assert child.stdout is not None
    reported = [int(next(child.stdout)) for _ in range(20)]
    child.kill()
    reported += [int(line) for line in child.stdout if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    outcomes = dict(open_record(path).outcomes())
    assert {fit for fit, _ in make_fits(reported[-1])} <= set(outcomes)
