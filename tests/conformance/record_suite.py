"""What a record must do in every storage; a subclass provides the fixture ``reopen``.

The fixture opens the same storage again, as another process would.
"""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

from autoenc.engines import Fit, Outcome, Recipe
from autoenc.record.digest import DIGEST
from autoenc.record.fits import FitRecord, records_in
from autoenc.record.identity import Context
from autoenc.record.private import begun_trial
from autoenc.record.record import keep_study_aside

CONTEXT = Context("f" * 64, ("a", "b"), "maxabs", 42, 0.2, "{}", 3)
FITS = [Fit((width,), 3, Recipe(epochs=2)) for width in (8, 16)]
OUTCOME = Outcome([1.0, 1 / 3], [0.5, 0.1 + 0.2], 0.25, 0.25, {}, 1)


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
