"""What is said of ties: what was tested, and no more."""

from __future__ import annotations

import json

import pytest

from autoenc.record.fits import records_in
from autoenc.record.storage import journal_path, open_storage
from autoenc.report import SearchResults
from autoenc.report.overview import overview
from autoenc.report.ties import tie_lines, trial_tie_lines
from autoenc.settings import SearchSettings


def words(table, folder, *more):
    widths = ["--hidden_dims_search", "2,8,32", "--max_layers", "3", "--jobs", "2"]
    return ["search", "--data_path", table, "--output_dir", folder, *widths, *more]


def results_in(folder) -> SearchResults:
    (record,) = records_in(open_storage(journal_path(folder), read_only=True))
    return SearchResults.of(SearchSettings.model_validate(record.search["settings"]), record)


@pytest.mark.parametrize("repeated", [("--seeds", "5"), ("--folds", "4"), ("--folds", "2", "--seeds", "2")])
def test_halving_says_that_dropped_stacks_were_not_tested(call, table_csv, tmp_path, repeated) -> None:
    answer = call(*words(table_csv, tmp_path, "--strategy", "halving", "--epochs", "36"), *repeated)
    assert answer.code == 0
    document = json.loads((tmp_path / "hyperparam_results_latent3.json").read_text())
    n_compared = len(document["all_results"])
    assert 0 < n_compared < 19
    assert document["selection"]["compared"] == n_compared
    assert document["selection"]["dropped_untested"] == 19 - n_compared
    assert f"{19 - n_compared} were dropped by halving after fewer epochs, untested" in answer.out
    assert "every other" not in answer.out
    told = "\n".join(overview(results_in(tmp_path)))
    assert f"{19 - n_compared} were dropped by halving after fewer epochs, untested" in told
    assert "halving: 19 stacks for 4 epochs, 6 stacks for 12 epochs, 2 stacks for 36 epochs" in told


def test_a_test_speaks_of_what_succeeded_and_is_there(call, table_csv, tmp_path) -> None:
    assert call(*words(table_csv, tmp_path, "--seeds", "4", "--epochs", "5")).code == 0
    results = results_in(tmp_path)
    (line, method, *_) = tie_lines(results)
    assert (
        " of the 18 others that were compared may be as good as the best" in line or "each of the 18" in line
    )
    assert "4 seeds" in method
    lost = results.trials[3].fits[1]
    del results.outcomes[lost]
    assert tie_lines(results)[0].endswith("; 1 are not trained")
    assert "the 17 others" in tie_lines(results)[0]


def test_a_single_stack_has_nothing_to_be_tested_against(call, table_csv, tmp_path) -> None:
    alone = ["--hidden_dims_search", "8", "--max_layers", "1", "--seeds", "4", "--epochs", "2"]
    answer = call(*words(table_csv, tmp_path), *alone)
    assert answer.code == 0
    assert "ties" not in answer.out
    selection = json.loads((tmp_path / "hyperparam_results_latent3.json").read_text())["selection"]
    assert (selection["tied"], selection["method"]) == (None, "not tested: no other stack was compared")


def test_one_standard_error_of_a_single_fit_is_not_claimed(call, table_csv, tmp_path) -> None:
    answer = call(*words(table_csv, tmp_path, "--select", "one_se", "--epochs", "2"))
    assert answer.code == 0
    assert "one_se needs a standard error, of folds or seeds; the lowest loss was kept" in answer.out


@pytest.mark.parametrize(
    ("tied", "n_trials", "said"),
    [
        ([4, 2, 0], 9, "2 of the 8 other trials may be as good as the lowest value, that of trial 4: 2, 0"),
        ([4, 2], 2, "the one other trial may be as good as the lowest value, that of trial 4: 2"),
        ([4], 2, "none: the one other trial is shown to be worse"),
        ([4], 9, "none: each of the 8 other trials is shown to be worse"),
        ([*range(12)], 12, "11 of the 11 other trials may be as good as the lowest value, that of trial 0: "
         "1, 2, 3, 4, 5, 6, 7, 8 and 3 more"),
    ],
)  # fmt: skip
def test_tied_trials_are_named(tied, n_trials, said) -> None:
    assert trial_tie_lines((tied, "how"), n_trials) == [f"ties          {said}", f"{'':<13} (how)"]
    assert trial_tie_lines((None, "not tested: why"), n_trials) == ["ties          not tested: why"]
