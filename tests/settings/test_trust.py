"""Folds, seeds, early stopping and factors, from outside."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

OPTIONS = ["--hidden_dims_search", "4,8", "--max_layers", "2", "--epochs", "4"]


@pytest.fixture
def search(call, table_csv, tmp_path):
    def run(*more: object, data=table_csv):
        answer = call("search", "--data_path", data, "--output_dir", tmp_path, *OPTIONS, *more)
        path = tmp_path / "hyperparam_results_latent3.json"
        return answer, json.loads(path.read_text()) if path.exists() else None

    return run


def test_folds_choose_and_the_test_rows_measure_once(search) -> None:
    _, plain = search()
    answer, document = search("--folds", "3", "--seeds", "2")
    assert answer.code == 0
    assert "30 fits: 3 folds of the training rows, 2 seeds each" in answer.out
    assert "on held-out test rows" in answer.out
    for entry in document["all_results"]:
        losses = [fit["final_test_loss"] for fit in entry["fits"]]
        assert len(losses) == 6
        assert entry["mean_test_loss"] == entry["final_test_loss"] == pytest.approx(sum(losses) / 6)
        by_fold = pd.DataFrame(entry["fits"]).groupby("fold").final_test_loss.mean()
        assert len(by_fold) == 3
        assert entry["standard_error"] == pytest.approx(by_fold.sem())
    best = document["best_configuration"]
    (chosen,) = (entry for entry in document["all_results"] if entry["config"] == best["config"])
    error = chosen["corrected_standard_error"]
    assert f"{chosen['mean_test_loss']:.6f} +- {error:.6f} over 3 folds and 2 seeds" in answer.out
    same = next(entry for entry in plain["all_results"] if entry["config"] == best["config"])
    assert best["holdout_test_loss"] == same["final_test_loss"]  # the very fit of the plain search
    assert set(document["selection"]) >= {"rule", "best", "tied", "one_se", "pareto"}
    assert set(document["baselines"]) == {"pca", "linear", "mean"}


def test_without_folds_the_optimism_is_told(search) -> None:
    answer, _ = search()
    assert "so it is optimistic" in answer.out


def test_more_seeds_train_only_what_is_new(search) -> None:
    search()
    answer, _ = search("--seeds", "3")
    assert "5 of 15 already trained" in answer.out


def test_early_stopping_keeps_the_best_epoch(search) -> None:
    answer, document = search(
        "--epochs", "60", "--initial_lr", "0.05", "--patience", "2", "--min_epochs", "3"
    )
    assert answer.code == 0
    assert any(len(entry["test_losses"]) < 60 for entry in document["all_results"])
    for entry in document["all_results"]:
        assert entry["final_test_loss"] == min(entry["test_losses"])
        assert entry["fits"][0]["epochs"] >= 3


def journal(folder: Path) -> list[str]:
    return (folder / "study.journal").read_text().splitlines()


def test_with_folds_the_test_rows_do_not_say_when_to_stop(search, tmp_path) -> None:
    stopping = ["--epochs", "60", "--initial_lr", "0.05", "--patience", "2", "--min_epochs", "3"]
    answer, document = search(*stopping, "--folds", "3")
    assert answer.code == 0
    best = document["best_configuration"]
    entry = next(entry for entry in document["all_results"] if entry["config"] == best["config"])
    kept = sorted(fit["kept_epoch"] for fit in entry["fits"])
    fits = [line for line in journal(tmp_path) if '"identity":"' in line]
    refit = [line for line in fits if '"fold":"holdout"' in line]
    assert len(refit) == 1, "the test rows were used once"
    assert f'"stop_after":{kept[1]}' in refit[0]
    assert '"patience"' not in refit[0]


def test_labels_divide_the_rows(search, frame, tmp_path) -> None:
    data = tmp_path / "labelled.csv"
    frame.assign(kind=["x", "y", "y"] * 20, who=[i // 5 for i in range(60)]).to_csv(data, index=False)
    answer, document = search("--stratify", "kind", "--group", "who", "--folds", "3", data=data)
    assert answer.code == 0, answer.err
    assert "who" not in document["environment"]["columns"]
    answer, _ = search("--stratify", "kin", data=data)
    assert answer.code == 2
    assert "did you mean 'kind'?" in answer.err


def test_lists_multiply_the_grid_and_their_effects_are_told(search, tmp_path) -> None:
    answer, document = search("--dropout", "0,0.2", "--norm", "layer,none")
    assert "20 trials (5 stacks x 4 recipes)" in answer.out
    assert document["total_configurations"] == len(document["all_results"]) == 20
    assert {(f["factor"], f["n_pairs"]) for f in document["factors"]} == {("dropout", 10), ("norm", 10)}
    by_recipe = {
        (tuple(e["config"]), *e["recipe"].values()): e["final_test_loss"] for e in document["all_results"]
    }
    ratios = [loss / by_recipe[(key[0], 0.0, key[2])] - 1 for key, loss in by_recipe.items() if key[1] == 0.2]
    effect = next(f for f in document["factors"] if f["factor"] == "dropout")
    assert effect["difference"] == pytest.approx(sum(ratios) / 10)
    assert effect["low"] < effect["difference"] < effect["high"]
    assert (tmp_path / "factor_effects_latent3.png").stat().st_size > 1000


def test_latent_sizes_are_searched_in_turn_and_compared(call, search, tmp_path) -> None:
    answer, _ = search("--latent_dim", "1,2,4")
    assert answer.code == 0
    assert len(list(tmp_path.glob("hyperparam_results_latent*.json"))) == 3
    picture = tmp_path / "comparison.png"
    answer = call("compare", tmp_path, "--output", picture)
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()[1:4]] == ["1", "2", "4"]
    assert "elbow" in answer.out
    for size, line in zip((1, 2, 4), answer.out.splitlines()[1:4], strict=True):
        losses = json.loads((tmp_path / f"hyperparam_results_latent{size}.json").read_text())["baselines"]
        assert [float(cell) for cell in line.split()[3:5]] == pytest.approx(
            [losses["pca"], losses["linear"]], abs=1e-6
        )
        better = min(("pca", "linear", "mean"), key=losses.__getitem__)
        assert line.rstrip().endswith({"pca": "(PCA)", "linear": "(linear)", "mean": "(mean)"}[better])
    assert picture.stat().st_size > 1000
    answer = call("compare", tmp_path, "--output", "/dev/stdout")
    assert (answer.code, answer.out) == (0, "")
    assert "elbow" in answer.err
    answer = call("compare", tmp_path)
    assert answer.out.splitlines()[-1].split()[1] == str(tmp_path / "latent_comparison.png")
    assert (tmp_path / "latent_comparison.png").stat().st_size > 1000


def test_a_comparison_takes_the_place_of_no_other_file(call, search, tmp_path) -> None:
    search("--latent_dim", "2,3")
    record = (tmp_path / "study.journal").read_bytes()
    (tmp_path / "folder.png").mkdir()
    for output in (tmp_path / "study.journal", tmp_path / "x.csv", tmp_path / "folder.png", tmp_path):
        answer = call("compare", tmp_path, "--output", output)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == f"error: --output {output}: must name a file that ends in .png\n"
    answer = call("compare", tmp_path, "--output", "")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "error: --output must be the name of a file or folder, got ''\n"
    assert (tmp_path / "study.journal").read_bytes() == record


def test_what_cannot_be_compared_is_refused(call, search, table_csv, tmp_path) -> None:
    search("--latent_dim", "2")
    message = "two latent sizes are needed at least, and there is only latent size "
    assert message in call("compare", tmp_path).err
    search("--latent_dim", "4", "--scaling", "none")
    answer = call("compare", tmp_path)
    assert answer.code == 2
    assert "cannot be compared" in answer.err


def test_halving_reports_what_it_spent(search) -> None:
    answer, document = search("--strategy", "halving", "--epochs", "9")
    assert answer.code == 0
    assert document["halving"]["rungs"] == [
        {"epochs": 1, "trials": 5}, {"epochs": 3, "trials": 1}, {"epochs": 9, "trials": 1}
    ]  # fmt: skip
    assert document["halving"]["epochs_spent"] == 17
    assert document["halving"]["epochs_of_the_grid"] == 45
    again, _ = search("--strategy", "halving", "--epochs", "9")
    assert "%|" not in again.err, "nothing was left to train"
