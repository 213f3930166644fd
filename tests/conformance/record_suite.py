"""What a record must do in every storage.

A subclass of :class:`RecordSuite` provides the fixture ``reopen``, which opens the same storage again, as
another process would. One of :class:`DurableRecordSuite` provides ``place`` instead, a journal's path or a
database's URL, and ``damage``, which puts another text in the place of one where a fit is stored, and says by
what the damage should be named.
"""

from __future__ import annotations

import gc
import os
import signal
import weakref
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState
from processes import CONTEXT as PROCESSES

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.errors import InputError
from autoenc.record.database import CheckedDatabase
from autoenc.record.digest import DIGEST
from autoenc.record.fits import FitRecord, records_in
from autoenc.record.identity import Context
from autoenc.record.private import begun_trial
from autoenc.record.record import TUNE, Kind, Record, differing, keep_study_aside
from autoenc.record.storage import journal_path, open_storage
from autoenc.system.text import forget_warnings

CONTEXT = Context("f" * 64, ("a", "b"), "maxabs", 42, 0.2, "{}", 3)
FITS = [Fit((width,), 3, Recipe(epochs=2)) for width in (8, 16)]
OUTCOME = Outcome([1.0, 1 / 3], [0.5, 0.1 + 0.2], 0.25, 0.25, {}, 1)
FAILED = Outcome([], [], float("nan"), 0.25, {}, -1, "it diverged")
KIND = Kind(TUNE, differing, lambda words: f"it is another search; it differs in {words}", "it has no name")
WANTED = {"seed": 1, "data": "abc", "strategy": "tpe"}


def opened(storage, wanted=WANTED, **options):
    """The record of an adaptive search."""
    record = Record.open(storage, "study", KIND, wanted, **options)
    record.note(TUNE, wanted)
    return record


def begin_and_wait(place, pipe):
    """Begin a trial in a process of its own, say what was drawn, and wait to be killed."""
    record = opened(open_storage(place), is_alone=False)
    trial = record.begin()
    trial.suggest_float("x", 0, 1)
    record.seal(trial)
    pipe.send((os.getpid(), trial.params))
    pipe.recv()


class RecordSuite:
    """Behaviour that every search relies on."""

    def test_what_was_added_is_read_by_two_readers(self, reopen):
        record = FitRecord.of(reopen(), CONTEXT)
        first, second = FitRecord.of(reopen(), CONTEXT), FitRecord.of(reopen(), CONTEXT)
        record.add(FITS[0], OUTCOME, "native")
        assert first.outcomes() == second.outcomes() == {FITS[0]: OUTCOME}
        first.add(FITS[1], OUTCOME, "native")
        assert list(second.outcomes()) == FITS

    def test_opening_twice_begins_one_study(self, reopen):
        names = [FitRecord.of(reopen(), CONTEXT).study.study_name for _ in range(2)]
        assert names == [CONTEXT.name] * 2
        assert [record.context for record in records_in(reopen())] == [CONTEXT]

    def test_a_trial_that_was_left_is_gone_on_with(self, reopen):
        FitRecord.of(reopen(), CONTEXT).study.ask().suggest_int("n", 1, 9)
        study = optuna.load_study(study_name=CONTEXT.name, storage=reopen())
        (left,) = study.get_trials(states=(TrialState.RUNNING,))
        trial = begun_trial(study, left)
        assert trial.params == left.params
        study.tell(trial, 0.5)
        (ended,) = optuna.load_study(study_name=CONTEXT.name, storage=reopen()).trials
        assert (ended.state, ended.value, ended.params) == (TrialState.COMPLETE, 0.5, left.params)
        assert DIGEST not in ended.user_attrs

    def test_what_is_kept_aside_is_no_record_any_more(self, reopen):
        FitRecord.of(reopen(), CONTEXT).add(FITS[0], OUTCOME, "native")
        kept = keep_study_aside(reopen(), CONTEXT.name)
        assert list(records_in(reopen())) == []
        assert FitRecord.of(reopen(), CONTEXT).outcomes() == {}
        assert len(optuna.load_study(study_name=kept, storage=reopen()).trials) == 1

    def test_the_last_used_record_sorts_last(self, reopen):
        for latent_dim in (3, 4, 3):
            context = Context("f" * 64, ("a",), "maxabs", 42, 0.2, "{}", latent_dim)
            FitRecord.of(reopen(), context).note_search({"settings": {}})
        found = sorted(records_in(reopen()), key=lambda record: record.last_used)
        assert [record.context.latent_dim for record in found] == [4, 3]

    def test_another_search_is_refused_with_what_differs(self, reopen):
        opened(reopen()).begin()
        assert len(opened(reopen()).trials()) == 1
        with pytest.raises(InputError, match=r"^it is another search; it differs in data, seed$"):
            opened(reopen(), {**WANTED, "seed": 2, "data": "abd"})
        assert opened(reopen()).study.user_attrs[TUNE] == WANTED, "a search that was refused has changed it"
        fresh = opened(reopen(), {**WANTED, "seed": 2}, fresh=True)
        assert fresh.trials() == []
        assert len(reopen().get_all_studies()) == 2

    def test_a_study_that_does_not_say_what_it_is_is_refused_once_it_has_trials(self, reopen):
        Record.open(reopen(), "study", KIND, WANTED).begin()
        with pytest.raises(InputError, match=r"^it has no name$"):
            Record.open(reopen(), "study", KIND, WANTED)

    def test_parts_are_merged_to_a_whole_and_again_to_the_same(self, reopen, tmp_path, capsys):
        parts = []
        for name in "ab":
            (folder := tmp_path / name).mkdir()
            parts.append(FitRecord.of(open_storage(journal_path(folder)), CONTEXT))
            parts[-1].note_search({"engine": "native"})
            parts[-1].add(FITS[0], OUTCOME, "native")
        parts[0].add(FITS[1], FAILED, "native")
        target = FitRecord.of(reopen(), CONTEXT)
        assert target.merge(parts, FITS) == 1
        assert target.outcomes()[FITS[1]].failure == "it diverged"
        parts[1].add(FITS[1], OUTCOME, "native")
        for _ in range(2):
            FitRecord.of(reopen(), CONTEXT).merge(parts, FITS)
            assert FitRecord.of(reopen(), CONTEXT).outcomes() == dict.fromkeys(FITS, OUTCOME)
        assert len(target.trials()) == 3, "two fits, and the failure that gave way to a success"
        assert capsys.readouterr().err == ""

    def test_parts_that_differ_are_told_and_those_of_another_search_refused(self, reopen, tmp_path, capsys):
        (tmp_path / "part").mkdir()
        part = FitRecord.of(open_storage(journal_path(tmp_path / "part")), CONTEXT)
        record = FitRecord.of(reopen(), CONTEXT)
        for each, loss in ((part, 0.5), (record, 0.25)):
            each.note_search({"engine": "native"})
            each.add(FITS[0], replace(OUTCOME, test_losses=[1.0, loss]), "native")
        (tmp_path / "whole").mkdir()
        whole = FitRecord.of(open_storage(journal_path(tmp_path / "whole")), CONTEXT)
        whole.merge([record, part], FITS)
        assert "8 stands in two records with other losses, 0.25 and 0.5; the first" in capsys.readouterr().err
        assert whole.outcomes()[FITS[0]].final_test_loss == 0.25
        other = FitRecord.of(reopen(), replace(CONTEXT, latent_dim=4))
        with pytest.raises(InputError, match=rf"^latent4-.* is no part of the search {CONTEXT.name}$"):
            whole.merge([other], FITS)


class DurableRecordSuite(RecordSuite):
    """What those must do besides that outlive a process."""

    @pytest.fixture
    def reopen(self, place):
        storages = []

        def opened_again():
            storages.append(open_storage(place))
            return storages[-1]

        yield opened_again
        for storage in storages:
            if isinstance(storage, CheckedDatabase):
                storage.close()

    def test_nothing_keeps_a_storage_that_nobody_uses_any_more(self, place):
        storage = open_storage(place)
        FitRecord.of(storage, CONTEXT).add(FITS[0], OUTCOME, "native")
        known = weakref.ref(storage)
        del storage
        gc.collect()
        assert known() is None, "its connections would stay open"

    def test_a_damaged_fit_is_named_and_left_out(self, reopen, damage, capsys):
        record = FitRecord.of(reopen(), CONTEXT)
        for fit, seconds in zip(FITS, (0.25, 0.123456), strict=True):
            record.add(fit, replace(OUTCOME, seconds=seconds), "native")
        where = damage("0.123456", "0.123457")
        forget_warnings()
        assert FitRecord.of(reopen(), CONTEXT).outcomes() == {FITS[0]: OUTCOME}
        (line,) = capsys.readouterr().err.splitlines()
        assert where in line
        assert "is damaged" in line
        assert "left out" in line

    def test_the_trial_of_a_killed_process_is_taken_up_and_that_of_a_living_one_is_not(self, reopen, place):
        ours, theirs = PROCESSES.Pipe()
        process = PROCESSES.Process(target=begin_and_wait, args=(place, theirs))
        process.start()
        assert ours.poll(60), "the other process began nothing"
        pid, drawn = ours.recv()
        record = opened(reopen(), is_alone=False)
        assert record.left() == []
        os.kill(pid, signal.SIGKILL)
        process.join()
        (left,) = record.left()
        trial = record.take_up(left)
        assert trial.suggest_float("x", 0, 1) == drawn["x"]
        record.study.tell(trial, 0.5)
        (ended,) = opened(reopen(), is_alone=False).trials()
        assert (ended.state, ended.value, ended.params) == (TrialState.COMPLETE, 0.5, drawn)

    def test_a_killed_processs_trial_that_was_changed_is_not_gone_on_with(self, reopen, capsys):
        record = opened(reopen())
        trial = record.begin()
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr(DIGEST, "begun:0123456789")  # of other parameters
        forget_warnings()
        assert opened(reopen()).left() == []
        assert "its parameters are not those that were drawn) is damaged" in capsys.readouterr().err
