from __future__ import annotations

import io
import json
import math

import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from autoenc.analysis.study import ranked_trials
from autoenc.report.importances import study_importances
from autoenc.report.study_axes import parameter_axes
from autoenc.report.study_figures import (
    draw_history,
    draw_importances,
    draw_parallel,
    draw_slices,
    history_plot,
    importances_plot,
    parallel_plot,
    slices_plot,
)
from autoenc.report.study_tables import (
    best_document,
    describe_distribution,
    study_document,
    top_trials_csv,
    trials_csv,
)
from autoenc.report.study_text import report_text
from autoenc.report.study_write import write_study_reports

LR = FloatDistribution(1e-5, 1e-1, log=True)
LAYERS = IntDistribution(1, 4)
KIND = CategoricalDistribution([1, "layer", None, 2.5])
FIXED = FloatDistribution(0.5, 0.5)
WIDTH = IntDistribution(8, 64, log=True)


def trial(value=None, state=TrialState.COMPLETE, lr=1e-3, layers=2, kind="layer", width=None, **attributes):
    params = {"lr": lr, "layers": layers, "kind": kind, "fixed": 0.5}
    distributions = {"lr": LR, "layers": LAYERS, "kind": KIND, "fixed": FIXED}
    if width is not None:
        params["width"], distributions["width"] = width, WIDTH
    steps = {0: 2 * value, 1: value} if value is not None and math.isfinite(value) else {}
    return create_trial(
        state=state, value=value if state == TrialState.COMPLETE else None, params=params,
        distributions=distributions, user_attrs=attributes, intermediate_values=steps,
    )  # fmt: skip


def study_of(*trials) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="kept")
    study.add_trials(trials)
    return study


def mixed() -> optuna.Study:
    return study_of(
        trial(0.5, lr=1e-4, seconds=3.5, curve=[1, 2], kind="layer"),
        trial(0.2, lr=1e-2, kind=None, width=16, note="fine"),
        trial(0.4, TrialState.PRUNED, kind=1),
        trial(None, TrialState.FAIL, kind=2.5, failure="it broke, badly"),
        trial(math.inf, lr=1e-5),
        trial(0.3, layers=4, seconds=math.nan),
        trial(None, TrialState.PRUNED),
    )


SOME = {
    "none": study_of,
    "failed alone": lambda: study_of(trial(None, TrialState.FAIL)),
    "infinite alone": lambda: study_of(trial(math.inf)),
    "one": lambda: study_of(trial(0.5)),
    "one without parameters": lambda: study_of(create_trial(value=0.1)),
    "equal values": lambda: study_of(trial(0.5), trial(0.5, lr=1e-2)),
    "zero and negative": lambda: study_of(trial(0.0), trial(-1.0, lr=1e-2)),
    "mixed": mixed,
}


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text))


def test_all_trials_stand_in_the_table_with_what_they_have():
    found = table(trials_csv(mixed()))
    assert list(found.columns) == [
        "number", "state", "value", "duration_s", "lr", "layers", "kind", "fixed", "width",
        "seconds", "note", "failure",
    ]  # fmt: skip
    assert list(found.number) == list(range(7))
    states = ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "COMPLETE", "COMPLETE", "PRUNED"]
    assert list(found.state) == states
    assert found.value.dropna().tolist() == [0.5, 0.2, 0.3]
    assert found.failure[3] == "it broke, badly"
    assert found.width.dropna().tolist() == [16]
    assert found.seconds.dropna().tolist() == [3.5]


def test_names_that_clash_are_told_apart():
    distribution = {"value": FloatDistribution(0, 1), "x": FloatDistribution(0, 1)}
    clash = create_trial(
        value=1.0, params={"value": 0.1, "x": 0.2}, distributions=distribution, user_attrs={"x": 7}
    )
    found = table(trials_csv(study_of(clash)))
    assert found[["value", "params_value", "x", "user_attrs_x"]].to_numpy().tolist() == [[1.0, 0.1, 0.2, 7]]


def test_top_trials_are_complete_and_ordered():
    study = mixed()
    assert table(top_trials_csv(study)).number.tolist() == [1, 5, 0]
    assert table(top_trials_csv(study, 2)).number.tolist() == [1, 5]
    assert list(table(top_trials_csv(study)).columns) == list(table(trials_csv(study)).columns)


def test_of_equal_values_the_earlier_trial_is_best():
    assert [t.number for t in ranked_trials(study_of(trial(0.5), trial(0.5)))] == [0, 1]


def test_best_document():
    assert best_document(mixed(), 12.5) == {
        "best_params": {"lr": 1e-2, "layers": 2, "kind": None, "fixed": 0.5, "width": 16},
        "best_value": 0.2,
        "n_trials": 7,
        "total_time": 12.5,
        "best_trial_number": 1,
    }
    empty = best_document(study_of(), math.nan)
    assert (empty["best_params"], empty["best_value"], empty["best_trial_number"]) == (None, None, None)
    assert (empty["n_trials"], empty["total_time"]) == (0, None)


def test_results_document_holds_every_trial():
    document = study_document(mixed(), {"seed": 3}, 1.0)
    assert document["settings"] == {"seed": 3}
    assert document["trial_states"] == {"running": 0, "complete": 4, "pruned": 2, "fail": 1, "waiting": 0}
    assert document["search_space"]["lr"] == "1e-05 to 0.1, log"
    entry = document["trials"][0]
    assert (entry["value"], entry["intermediate_values"]) == (0.5, {"0": 1.0, "1": 0.5})
    assert entry["user_attrs"] == {"seconds": 3.5, "curve": [1, 2]}
    assert document["trials"][4]["value"] is None
    assert document["trials"][5]["user_attrs"]["seconds"] is None


@pytest.mark.parametrize(
    ("distribution", "words"),
    [
        (LR, "1e-05 to 0.1, log"),
        (LAYERS, "1 to 4"),
        (IntDistribution(8, 64, step=8), "8 to 64, in steps of 8"),
        (FIXED, "0.5"),
        (KIND, "one of 1, layer, None, 2.5"),
    ],
)
def test_ranges_in_words(distribution, words):
    assert describe_distribution(distribution) == words


def test_the_report_says_what_was_searched_and_found():
    text = report_text(mixed(), {"n_trials": 7}, 61.0)
    for part in (
        "7: 4 complete, 2 pruned, 1 failed", "0.2 in trial 1", "1e-05 to 0.1, log", "61.0 s",
        "only 3 complete trials", "1. trial 1 ", "Best 3 of 3 complete trials", "n_trials  7",
    ):  # fmt: skip
        assert part in text


def test_parameters_of_equal_importance_stand_in_the_order_in_which_they_appear(monkeypatch):
    names = [f"p{i}" for i in range(6)]
    trials = [
        create_trial(value=value, params=dict.fromkeys(names, value), distributions=dict.fromkeys(names, LR))
        for value in (1e-4, 1e-3, 1e-2)
    ]
    backwards = dict.fromkeys(reversed(names), 0.5)
    monkeypatch.setattr("optuna.importance.get_param_importances", lambda study, **options: backwards)
    assert list(study_importances(study_of(*trials)).shares) == names


def test_importances_find_the_parameter_that_matters():
    trials = [trial(float(i), lr=10 ** (-5 + i / 10), layers=1 + i % 4) for i in range(40)]
    found = study_importances(study_of(*trials))
    assert next(iter(found.shares)) == "lr"
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.shares["fixed"] == 0
    assert found.caution == ""


def test_history_tells_states_apart():
    plot = history_plot(mixed())
    assert plot.complete == [(0, 0.5), (1, 0.2), (5, 0.3)]
    assert plot.best == [(0, 0.5), (1, 0.2)]
    assert plot.pruned == [(2, 0.4)]
    assert plot.without_value == {"failed": [3], "value not finite": [4], "pruned, no value": [6]}


def test_axes_place_numbers_choices_and_gaps():
    axes = {axis.name: axis for axis in parameter_axes(ranked_trials(mixed()))}
    assert axes["lr"].log
    # Best first: trials 1, 5, 0.
    assert axes["lr"].positions(axes["lr"].values) == pytest.approx([1, 0.5, 0])
    assert axes["kind"].choices == ["1", "layer", "None", "2.5"]
    assert axes["kind"].positions(axes["kind"].values) == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    assert axes["fixed"].positions(axes["fixed"].values) == pytest.approx([0.5, 0.5, 0.5])
    assert [math.isnan(x) for x in axes["width"].values] == [False, True, True]
    assert axes["layers"].ticks() == ([2, 3, 4], ["2", "3", "4"])


def test_parallel_and_slices_show_complete_finite_trials():
    assert parallel_plot(mixed()).losses == [0.2, 0.3, 0.5]


def test_the_trial_that_is_kept_is_shown_where_another_was_lower():
    study = mixed()  # best first: trials 1, 5, 0
    assert history_plot(study).kept is None
    assert history_plot(study, 1).kept is None
    assert history_plot(study, 5).kept == (5, 0.3)
    assert [parallel_plot(study, number).kept for number in (None, 1, 5, 0)] == [0, 0, 1, 2]
    draw_history(history_plot(study, 5))
    draw_parallel(parallel_plot(study, 5))
    assert slices_plot(mixed()).numbers == [1, 5, 0]


@pytest.mark.parametrize("make", SOME.values(), ids=SOME)
def test_every_picture_can_be_drawn_of_any_study(make):
    study = make()
    for figure in (
        draw_history(history_plot(study)),
        draw_importances(importances_plot(study)),
        draw_parallel(parallel_plot(study)),
        draw_slices(slices_plot(study)),
    ):
        figure.set_dpi(40)  # what is drawn is the same, only quicker
        figure.savefig(io.BytesIO())


@pytest.mark.parametrize("make", SOME.values(), ids=SOME)
def test_every_table_can_be_written_of_any_study(make, tmp_path):
    written = write_study_reports(make(), tmp_path, {"seed": 1}, plot=False, total_time_s=1.0)
    assert [path.name for _, path in written] == [
        "best_hyperparameters.json", "optimization_results.json", "all_trials.csv", "top_20_trials.csv",
        "optimization_report.txt",
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for _, path in written)
    for path in tmp_path.glob("*.json"):
        json.loads(path.read_text(), parse_constant=pytest.fail)


def test_pictures_come_where_they_are_wanted(tmp_path):
    written = write_study_reports(mixed(), tmp_path, {}, plot=True, total_time_s=1.0)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "optimization_history.png", "parallel_coordinate.png", "param_importances.png", "slice_plot.png",
    ]  # fmt: skip
    assert all(path.stat().st_size > 0 for _, path in written)
