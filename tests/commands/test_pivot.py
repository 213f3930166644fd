"""``pivot`` from outside, its table as data, and the score's ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autoenc.analysis.observations import Observation, Observations
from autoenc.report.observed import importances_of, ranking_csv
from autoenc.report.pivot import draw_pivot, pivot_csv, pivot_plot
from autoenc.workflows.observe import observe_folder

SPACE = {
    "num_layers_range": (1, 3), "hidden_size_range": (8, 512), "learning_rate_range": (1e-4, 1e-1),
    "weight_decay_range": (0.0, 0.0), "dropout_range": (0.0, 0.5), "batch_size_options": (16, 32, 64),
    "activation_options": ("relu", "gelu", "tanh"), "norm_options": ("layer",),
}  # fmt: skip


def trial(loss, stack, rate, activation="relu", **metrics):
    widths = {f"hidden_size_{i}": width for i, width in enumerate(stack, 1)}
    parameters = {
        "num_layers": len(stack), **widths, "learning_rate": rate, "weight_decay": 0.0, "dropout": 0.1,
        "batch_size": 32, "activation": activation, "norm": "layer",
    }  # fmt: skip
    own = {"loss": loss, "seconds": 1.0, "model_params": 100.0, **metrics}
    return Observation(f"trial {loss}", "-".join(map(str, stack)), parameters, own)


@pytest.fixture
def seen():
    trials = [
        trial(1.0, (8,), 1e-4, seconds=9.0), trial(2.0, (8,), 9e-4, "gelu"),
        trial(3.0, (64, 8), 1e-2, seconds=5.0), trial(4.0, (64, 16), 1e-1),
        trial(5.0, (8,), 1e-4, "gelu", epochs=7.0), trial(9.0, (8,), 1e-4),
    ]  # fmt: skip
    return Observations("a search", trials, SPACE, {}, True, 1.0)


@pytest.mark.parametrize(("aggregate", "first"), [("mean", 4.25), ("min", 1), ("median", 3.5), ("count", 4)])
def test_cells_hold_the_trials_of_their_bins_on_the_log_scale(seen, aggregate, first):
    plot = pivot_plot(seen, "loss", "num_layers", "learning_rate", aggregate, 3)
    # 1e-4 to 1e-1 in three bins: a decade each.
    assert plot.column_labels == ["0.0001 to 0.001", "0.001 to 0.01", "0.01 to 0.1"]
    assert plot.row_labels == ["1", "2"]
    expected = {"count": [[first, np.nan, np.nan], [np.nan, 1, 1]]}
    expected = expected.get(aggregate, [[first, np.nan, np.nan], [np.nan, 3, 4]])
    np.testing.assert_array_equal(plot.values, expected)


def test_few_values_have_a_cell_each_and_choices_their_order(seen):
    plot = pivot_plot(seen, "loss", "activation", "learning_rate", "mean", 6)
    assert plot.row_labels == ["relu", "gelu"]
    assert plot.column_labels == ["0.0001", "0.0009", "0.01", "0.1"]
    assert pivot_csv(plot).splitlines() == [
        "activation \\ learning_rate,0.0001,0.0009,0.01,0.1", "relu,5.0,,3.0,4.0", "gelu,5.0,2.0,,",
    ]  # fmt: skip


def test_trials_without_a_parameter_or_the_metric_are_left_out_and_told(seen):
    plot = pivot_plot(seen, "loss", "hidden_size_2", "learning_rate", "mean", 6)
    assert plot.title == "a search: 2 trials (4 others lack one of these)"
    assert plot.row_labels == ["8", "16"]
    plot = pivot_plot(seen, "epochs", "num_layers", "learning_rate", "mean", 6)
    assert plot.values.tolist() == [[7.0]]


def test_bins_of_whole_numbers_hold_whole_numbers():
    trials = [trial(1.0, (width,), 1e-3) for width in (8, 9, 10, 11, 12, 40, 100, 512)]
    seen = Observations("a search", trials, SPACE, {}, True, 1.0)
    plot = pivot_plot(seen, "loss", "hidden_size_1", "norm", "count", 4)
    assert plot.row_labels == ["8 to 23", "24 to 64", "65 to 181", "182 to 512"]
    assert plot.values[:, 0].tolist() == [5, 1, 1, 1]


def test_the_picture_writes_numbers_where_they_fit_and_hatches_empty_cells(seen):
    plot = pivot_plot(seen, "loss", "num_layers", "learning_rate", "mean", 3)
    axis, bar = draw_pivot(plot).axes
    assert {text.get_text() for text in axis.texts} == {"4.25", "3", "4"}
    assert sum(patch.get_hatch() == "///" for patch in axis.patches) == 3
    assert bar.get_ylabel() == "mean of loss on the rows that judge"
    long = plot._replace(values=plot.values * 1e-7)
    assert {text.get_text() for text in draw_pivot(long).axes[0].texts} == {"3e-07", "4e-07"}


def test_the_ranking_shows_what_each_measure_adds(seen, tmp_path):
    (tmp_path / "ranking.csv").write_text(ranking_csv(seen, "0.5*loss+0.5*time"))
    table = pd.read_csv(tmp_path / "ranking.csv")
    np.testing.assert_allclose(table.score, table.score_loss + table.score_time)
    assert table.score.is_monotonic_increasing
    assert table.trial[0] == "trial 2.0"  # the best loss took longest
    assert table.score_loss.max() == table.score_time.max() == 0.5
    assert table.loc[table.trial == "trial 3.0", "hidden_size_2"].item() == 8


def test_importances_are_for_the_metric(seen):
    found = importances_of(seen, "loss")
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.caution.startswith("only 6 complete trials")
    assert not {"weight_decay", "norm"} & set(found.shares)  # they were fixed
    assert importances_of(seen, "model_params").caution.endswith("nothing to compare")


@pytest.fixture(scope="module")
def folder(call, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    table = folder / "table.csv"
    pd.read_csv(root / "data" / "stains.csv").head(120).to_csv(table, index=False)
    small = ["--hidden_size_range", "8,32", "--num_layers_range", "1,2", "--epochs", "2", "--jobs", "1"]
    options = ["--data_path", table, "--output_dir", folder, "--quiet"]
    assert call("tune", *options, *small, "--n_trials", 9).code == 0
    grid = ["--hidden_dims_search", "8,16", "--max_layers", 2, "--epochs", 2, "--dropout", "0,0.2"]
    assert call("search", *options, *grid, "--output_dir", folder / "grid").code == 0
    return folder


def test_the_files_of_an_adaptive_search(call, folder):
    answer = call("pivot", folder, "--score", "0.8*loss+0.2*time", "--bins", 4)
    assert answer.code == 0, answer.err
    names = {path.name for path in (folder / "analysis").iterdir()}
    assert names == {
        "pivot_mean_loss_num_layers_learning_rate.png", "pivot_mean_loss_num_layers_learning_rate.csv",
        "importances_loss.png", "importances_loss.csv", "ranking.csv",
    }  # fmt: skip
    all_trials = pd.read_csv(folder / "all_trials.csv")
    ranking = pd.read_csv(folder / "analysis" / "ranking.csv")
    assert sorted(ranking.loss) == pytest.approx(sorted(all_trials.value))
    assert sorted(ranking.model_params) == sorted(all_trials.model_params)


def test_the_files_of_an_exhaustive_search(call, folder, tmp_path):
    options = ["--rows", "hidden_size_1", "--columns", "dropout", "--metric", "convergence_epoch"]
    answer = call("pivot", folder / "grid", *options, "--aggregate", "max")
    assert "--aggregate must be one of" in answer.err
    answer = call("pivot", folder / "grid", *options, "--aggregate", "count", "--output", tmp_path)
    assert answer.code == 0, answer.err
    table = pd.read_csv(tmp_path / "pivot_count_convergence_epoch_hidden_size_1_dropout.csv", index_col=0)
    assert table.to_numpy().tolist() == [[2, 2], [3, 3]]  # 8, 8-8; 16, 16-8, 16-16
    assert observe_folder(folder / "grid", None, "").trials[0].name.startswith("stack ")


def test_what_is_wrong_is_told_at_once(call, folder, tmp_path):
    answer = call("pivot", folder, "--metric", "los", "--rows", "num_layer", "--columns", "zzz")
    assert answer.code == 2
    lines = answer.err.splitlines()
    assert lines[0].endswith("got 'los'; did you mean loss?")
    assert lines[1].endswith("did you mean num_layers?")
    assert lines[2].startswith("error: --columns must be one of num_layers, hidden_size_1")
    assert "two hyperparameters" in call("pivot", folder, "--rows", "dropout", "--columns", "dropout").err
    assert "there is no study.journal" in call("pivot", tmp_path).err
    assert "--score must be a sum" in call("pivot", folder, "--score", "loss").err
    options = ["--output_dir", tmp_path, "--n_trials", 1, "--epochs", 1, "--quiet"]
    call("tune", "--data_path", folder / "table.csv", *options)
    assert "has 1 finished trials; a table takes 2" in call("pivot", tmp_path).err
