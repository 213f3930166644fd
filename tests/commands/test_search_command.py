"""The whole search from outside: results, files, screen, and what they do not depend on."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from autoenc import load_model, load_results
from autoenc.data.division import split_table
from autoenc.data.table import load_table
from autoenc.engines import Fit, Recipe
from autoenc.engines.torch_loop import TorchEngine
from autoenc.engines.verify import TOLERANCES
from autoenc.models.grid import NetworkShape
from autoenc.models.loss import sparse_aware_loss

GRID = ["--hidden_dims_search", "8,16,32", "--max_layers", "2", "--epochs", "3"]


def strict_json(path: Path) -> dict:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def without_times(document: dict) -> dict:
    kept = json.loads(json.dumps(document))
    del kept["timestamp"]
    del kept["args"]["output_dir"], kept["args"]["jobs"]
    del kept["environment"]["git_commit"]  # someone may commit between two searches
    for entry in kept["all_results"]:
        for timed in (entry, *entry.get("fits", [])):
            del timed["seconds"]
    return kept


def assert_picture(path: Path) -> None:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        picture.load()
        width, height = picture.size
        assert width >= 600
        assert height >= 400
        assert len(picture.convert("RGB").getcolors(width * height)) > 10


@pytest.fixture(scope="module")
def searched(call, table_csv, tmp_path_factory):
    """A search with a plane as latent space, its best model saved: the folder and what was said."""
    folder = tmp_path_factory.mktemp("searched")
    answer = call(
        "search", "--data_path", table_csv, "--latent_dim", "2", "--save_models", "--jobs", "1",
        "--output_dir", folder, *GRID,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    return folder, answer


@pytest.fixture(scope="module")
def document(searched) -> dict:
    return strict_json(searched[0] / "hyperparam_results_latent2.json")


def test_json_has_the_promised_keys(document):
    assert {
        "timestamp",
        "args",
        "total_configurations",
        "best_configuration",
        "all_results",
        "environment",
    } <= set(document)
    assert list(document["best_configuration"]) == [
        "config", "final_test_loss", "best_test_loss", "final_train_loss", "explained_variance", "model_info",
    ]  # fmt: skip
    for entry in document["all_results"]:
        assert list(entry) == [
            "config", "final_test_loss", "best_test_loss", "final_train_loss", "explained_variance",
            "model_params", "num_layers", "train_losses", "test_losses", "seconds", "mean_test_loss",
            "standard_error", "corrected_standard_error", "fits",
        ]  # fmt: skip
    assert {"versions", "device", "seed", "data_fingerprint", "git_commit"} <= set(document["environment"])


def test_all_nine_stacks_are_there_in_the_order_of_the_grid(document):
    expected = [
        list(stack) for depth in (1, 2) for stack in combinations_with_replacement([32, 16, 8], depth)
    ]
    assert document["total_configurations"] == 9
    assert [entry["config"] for entry in document["all_results"]] == expected


def test_entries_are_consistent(document):
    for entry in document["all_results"]:
        assert len(entry["train_losses"]) == len(entry["test_losses"]) == 3
        assert entry["final_test_loss"] == entry["test_losses"][-1]
        assert entry["best_test_loss"] == min(entry["test_losses"])
        assert entry["num_layers"] == len(entry["config"])
        assert entry["model_params"] == NetworkShape(6, tuple(entry["config"]), 2).count_parameters()
        assert entry["seconds"] > 0


def test_the_best_has_the_lowest_final_test_loss(document):
    best = min(document["all_results"], key=lambda entry: entry["final_test_loss"])
    found = document["best_configuration"]
    for key in ("config", "final_test_loss", "best_test_loss", "final_train_loss"):
        assert found[key] == best[key]
    assert found["model_info"]["hidden_dims"] == best["config"]
    assert found["model_info"]["total_params"] == best["model_params"]
    assert (found["model_info"]["input_dim"], found["model_info"]["latent_dim"]) == (6, 2)
    assert found["model_info"]["dropout"] == 0.1


def test_losses_are_those_of_the_reference_engine(document, table_csv):
    split, _ = split_table(load_table(table_csv), "maxabs", 42)
    for entry in document["all_results"][:2]:
        outcome = TorchEngine().fit(split, Fit(tuple(entry["config"]), 2, Recipe(epochs=3)))
        assert entry["final_test_loss"] == pytest.approx(outcome.final_test_loss, rel=1e-3)
        assert entry["final_train_loss"] == pytest.approx(outcome.final_train_loss, rel=1e-3)
        assert entry["train_losses"] == pytest.approx(outcome.train_losses, rel=1e-3)


def test_args_and_environment_say_how_to_repeat_it(document, table_csv):
    args, environment = document["args"], document["environment"]
    assert (args["latent_dim"], args["epochs"], args["seed"], args["max_layers"]) == (2, 3, 42, 2)
    assert args["hidden_dims_search"] == [8, 16, 32]
    assert args["data_path"] == str(table_csv)
    assert environment["seed"] == 42
    assert environment["data_fingerprint"] == load_table(table_csv).fingerprint
    assert environment["versions"]["numpy"] == np.__version__
    assert environment["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert environment["versions"]["python"].startswith("3.")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", document["timestamp"])


def test_environment_names_the_device_that_was_used(document):
    assert document["args"]["device"] == "auto"
    assert document["environment"]["device"] == "cpu"


def test_environment_names_the_commit_of_the_source(document, root):
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True)
    expected = head.stdout.strip() if (root / ".git").exists() and head.returncode == 0 else None
    assert document["environment"]["git_commit"] == expected


def test_the_csv_has_a_line_per_stack_best_first(searched, document):
    with (searched[0] / "hyperparam_results_latent2.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    ranked = sorted(document["all_results"], key=lambda entry: entry["final_test_loss"])
    assert [line["rank"] for line in lines] == [str(rank) for rank in range(1, 10)]
    assert [line["config"] for line in lines] == ["-".join(map(str, entry["config"])) for entry in ranked]
    for line, entry in zip(lines, ranked, strict=True):
        assert float(line["final_test_loss"]) == entry["final_test_loss"]
        assert int(line["model_params"]) == entry["model_params"]


@pytest.mark.parametrize(
    "name",
    ["hyperparam_search_latent2.png", "config_performance_latent2.png", "latent_space_2d_best_config.png"],
)
def test_pictures_are_pictures(searched, name):
    assert_picture(searched[0] / name)


def test_the_saved_model_has_the_loss_that_was_reported(searched, document, table_csv):
    folder, _ = searched
    model = load_model(folder / "best_model_latent2.pth")
    split, scaling = split_table(load_table(table_csv), "maxabs", 42)
    np.testing.assert_array_equal(model.scaling.scale, scaling.scale)
    assert model.info["hidden_dims"] == document["best_configuration"]["config"]
    assert model.info["data_fingerprint"] == document["environment"]["data_fingerprint"]
    network = model.model.double()
    for rows, key in ((split.test, "final_test_loss"), (split.train, "final_train_loss")):
        target = torch.from_numpy(split.values[rows]).double()
        with torch.no_grad():
            loss = sparse_aware_loss(network(torch.nan_to_num(target, nan=0.0))[0], target).item()
        assert loss == pytest.approx(document["best_configuration"][key], rel=1e-6)


def test_the_saved_model_reconstructs_in_original_units(searched, table_csv):
    model = load_model(searched[0] / "best_model_latent2.pth")
    split, scaling = split_table(load_table(table_csv), "maxabs", 42)
    frame = pd.read_csv(table_csv)
    with torch.no_grad():
        scaled = model.model(torch.from_numpy(np.nan_to_num(split.values)))[0].numpy()
    np.testing.assert_allclose(model.reconstruct(frame), scaled * scaling.scale, rtol=1e-5, atol=1e-6)


def test_on_screen_plan_bar_and_summary(searched, document):
    folder, answer = searched
    plan, _, summary = answer.out.partition("\n\n")
    assert "9 stacks of 8,16,32" in plan
    assert "60 rows x 6 columns" in plan
    assert "48 to train on, 12 to test on" in plan
    assert "engine native, 1 core" in plan
    best = document["best_configuration"]
    assert "-".join(map(str, best["config"])) in summary
    assert f"{best['final_test_loss']:.6f}" in summary
    assert f"{best['model_info']['total_params']:,}" in summary
    for path in folder.glob("*latent*"):
        assert str(path) in summary
    assert "9/9" in answer.err
    assert "best " in answer.err


def test_nothing_scrolls_but_the_bar(searched):
    _, answer = searched
    assert answer.err.count("\n") <= 1
    assert not re.search(r"\d parameters  [\d.]+ s", answer.out)


def test_verbose_prints_a_line_per_stack(call, table_csv, tmp_path):
    answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path, "--verbose", *GRID)
    assert answer.code == 0
    lines = re.findall(
        r"^ +([\d-]+)  test loss ([\d.]+)  ([\d,]+) parameters", answer.out + answer.err, re.MULTILINE
    )
    found = {name: float(loss) for name, loss, _ in lines}
    entries = strict_json(tmp_path / "hyperparam_results_latent3.json")["all_results"]
    assert found == {
        "-".join(map(str, entry["config"])): round(entry["final_test_loss"], 5) for entry in entries
    }


def test_quiet_says_nothing(call, table_csv, tmp_path):
    answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path, "--quiet", *GRID)
    assert answer == (0, "", "")
    assert (tmp_path / "hyperparam_results_latent3.json").exists()


@pytest.mark.parametrize("jobs", [2, 5])
def test_results_do_not_depend_on_jobs(call, searched, document, table_csv, tmp_path, jobs):
    answer = call(
        "search", "--data_path", table_csv, "--latent_dim", "2", "--save_models", "--jobs", jobs,
        "--output_dir", tmp_path, *GRID,
    )  # fmt: skip
    assert answer.code == 0
    assert without_times(strict_json(tmp_path / "hyperparam_results_latent2.json")) == without_times(document)
    one, other = (load_model(folder / "best_model_latent2.pth") for folder in (searched[0], tmp_path))
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name])


def test_results_do_not_depend_on_the_other_stacks(call, document, table_csv, tmp_path):
    answer = call(
        "search", "--data_path", table_csv, "--latent_dim", "2", "--output_dir", tmp_path, "--quiet", *GRID,
        "--hidden_dims_search", "16",
    )  # fmt: skip
    assert answer.code == 0
    whole = {tuple(entry["config"]): entry["test_losses"] for entry in document["all_results"]}
    for entry in strict_json(tmp_path / "hyperparam_results_latent2.json")["all_results"]:
        assert entry["test_losses"] == whole[tuple(entry["config"])]


def test_the_latent_plane_and_the_model_are_written_only_when_they_are_wanted(call, table_csv, tmp_path):
    assert call("search", "--data_path", table_csv, "--output_dir", tmp_path, "--quiet", *GRID).code == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {
        "hyperparam_results_latent3.json", "hyperparam_results_latent3.csv", "hyperparam_search_latent3.png",
        "config_performance_latent3.png",
    } <= names  # fmt: skip
    assert "latent_space_2d_best_config.png" not in names
    assert "best_model_latent3.pth" not in names
    assert not any(name.endswith(".tmp") for name in names)
    for name in ("hyperparam_search_latent3.png", "config_performance_latent3.png"):
        assert_picture(tmp_path / name)


def test_searches_of_several_latent_sizes_share_a_folder(call, table_csv, tmp_path):
    for latent_dim in (1, 2):
        answer = call(
            "search",
            "--data_path",
            table_csv,
            "--output_dir",
            tmp_path,
            "--latent_dim",
            latent_dim,
            "--quiet",
            *GRID,
        )
        assert answer.code == 0
    for latent_dim in (1, 2):
        found = strict_json(tmp_path / f"hyperparam_results_latent{latent_dim}.json")
        assert found["args"]["latent_dim"] == latent_dim
        assert len(found["all_results"]) == 9


def test_both_engines_tell_the_same_story(call, document, table_csv, tmp_path):
    answer = call(
        "search", "--data_path", table_csv, "--latent_dim", "2", "--engine", "torch", "--quiet",
        "--output_dir", tmp_path, *GRID,
    )  # fmt: skip
    assert answer.code == 0
    found = strict_json(tmp_path / "hyperparam_results_latent2.json")
    assert found["environment"]["engine"] == "torch"
    for one, other in zip(found["all_results"], document["all_results"], strict=True):
        assert one["config"] == other["config"]
        assert one["final_test_loss"] == pytest.approx(other["final_test_loss"], rel=1e-3)


def test_verify_prints_a_table_and_writes_nothing(call, table_csv, tmp_path):
    answer = call(
        "search", "--data_path", table_csv, "--output_dir", tmp_path / "out", "--verify", "3",
        "--latent_dim", "2", *GRID,
    )  # fmt: skip
    assert answer.code == 0, answer.out
    lines = re.findall(
        r"^ +([\d-]+)  (float\d\d) +([\d.]+) +([\d.]+) +([\d.e+-]+) ", answer.out, re.MULTILINE
    )
    assert [line[:2] for line in lines] == [
        (stack, precision) for stack in ("32", "32-16", "8-8") for precision in ("float64", "float32")
    ]
    for _, precision, native, reference, difference in lines:
        assert float(native) == pytest.approx(float(reference), rel=1e-3)
        assert float(difference) <= TOLERANCES[precision]
    assert "the engines agree" in answer.out
    assert not (tmp_path / "out").exists()


def test_verify_exits_1_where_a_difference_is_past_the_tolerance(call, table_csv, monkeypatch):
    monkeypatch.setitem(TOLERANCES, "float32", -1.0)
    answer = call("search", "--data_path", table_csv, "--verify", "1", *GRID)
    assert answer.code == 1
    assert "TOO LARGE" in answer.out
    assert "DISAGREE" in answer.out


@pytest.mark.parametrize("verify", [["--verify", "1"], ["--quiet"]])
def test_a_table_of_zeros_is_searched_without_complaint(call, tmp_path, verify):
    path = tmp_path / "zeros.csv"
    path.write_text("a,b,c,d\n" + "0,0,0,0\n" * 20)
    answer = call("search", "--data_path", path, "--output_dir", tmp_path / "out", *verify, *GRID)
    assert answer.code == 0
    assert answer.err == f"warning: {path}: constant, kept but without information: a, b, c, d\n"


@pytest.mark.parametrize("name", ["search_results.csv", "hyperparam_results_latent2.csv", "all_trials.csv"])
@pytest.mark.parametrize("command", ["search", "tune", "transfer"])
def test_a_table_that_a_report_would_take_the_place_of_is_refused(call, table_csv, tmp_path, command, name):
    path = tmp_path / name
    path.write_bytes(table_csv.read_bytes())
    place = [tmp_path.parent, "--name", tmp_path.name] if command == "transfer" else [tmp_path]
    answer = call(command, "--data_path", path, "--output_dir", *place)
    assert answer.code == 2
    assert f"error: --data_path {path}: would be overwritten by the {name} of the search" in answer.err
    assert path.read_bytes() == table_csv.read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_files_of_other_people_stay(call, table_csv, tmp_path):
    (tmp_path / "runs").mkdir()
    theirs = [tmp_path / name for name in (".search_notes.tmp", ".best_model_backup.tmp", "runs/.mine.tmp")]
    begun = [tmp_path / ".search_results.csv.a1b2.tmp", tmp_path / "runs" / ".x.json.a1b2.tmp"]
    for path in [*theirs, *begun]:
        path.write_text("")
    assert call("search", "--data_path", table_csv, "--output_dir", tmp_path, *GRID, "--quiet").code == 0
    assert all(path.exists() for path in theirs)
    assert not any(path.exists() for path in begun)


def test_large_numbers_without_scaling_have_a_pca_too(call, tmp_path):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(np.abs(rng.normal(size=(60, 4))) * 1e20, columns=list("abcd"))
    frame.to_csv(tmp_path / "large.csv", index=False)
    options = ["--scaling", "none", "--output_dir", tmp_path / "out", *GRID, "--quiet"]
    answer = call("search", "--data_path", tmp_path / "large.csv", *options)
    assert "Traceback" not in answer.err
    assert answer.code in (0, 1)  # where no network learns from such numbers, it says so
    pca = strict_json(tmp_path / "out" / "hyperparam_results_latent3.json")["baselines"]["pca"]
    assert 1e38 < pca < 1e41


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite://", "sqlite:///:memory:"])
def test_a_record_in_memory_is_none(call, table_csv, tmp_path, url):
    answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path, *GRID, "--storage", url)
    assert answer.code == 2
    assert f"--storage {url}: is lost when the program ends" in answer.err
    answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path, "--storage", "")
    assert (answer.code, "must be the URL of a storage" in answer.err) == (2, True)


def test_a_search_in_which_every_fit_fails_says_why(call, table_csv, tmp_path):
    answer = call(
        "search", "--data_path", table_csv, "--output_dir", tmp_path, "--initial_lr", "1e30", "--save_models",
        "--quiet", *GRID,
    )  # fmt: skip
    assert answer.code == 1
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith("error: all 9 stacks failed; ")
    assert "the loss stopped being finite in epoch" in line
    found = strict_json(tmp_path / "hyperparam_results_latent3.json")
    assert found["best_configuration"] is None
    assert found["all_results"] == []
    assert not (tmp_path / "best_model_latent3.pth").exists()


def test_the_smallest_table(call, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n2\n")
    answer = call(
        "search", "--data_path", path, "--output_dir", tmp_path / "out", "--latent_dim", "1",
        "--hidden_dims_search", "1", "--max_layers", "1", "--epochs", "1", "--save_models", "--quiet",
    )  # fmt: skip
    assert answer.code == 0
    assert answer.out == ""
    assert len(strict_json(tmp_path / "out" / "hyperparam_results_latent1.json")["all_results"]) == 1
    assert load_model(tmp_path / "out" / "best_model_latent1.pth").encode(np.array([[1.5]])).shape == (1, 1)


def test_a_plane_of_few_points_is_drawn(call, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n1,2,3\n2,1,0\n")
    answer = call(
        "search", "--data_path", path, "--output_dir", tmp_path / "out", "--latent_dim", "2",
        "--hidden_dims_search", "3", "--max_layers", "1", "--epochs", "1", "--quiet",
    )  # fmt: skip
    assert answer == (0, "", "")
    assert_picture(tmp_path / "out" / "latent_space_2d_best_config.png")


def test_digits_as_a_csv(call, tmp_path):
    digits = pd.DataFrame(load_digits().data[:600]).add_prefix("pixel_")
    digits.to_csv(tmp_path / "digits.csv", index=False)
    answer = call(
        "search", "--data_path", tmp_path / "digits.csv", "--output_dir", tmp_path / "out", "--epochs", "2",
        "--quiet",
    )  # fmt: skip
    assert answer.code == 0
    (line,) = answer.err.splitlines()
    constant = [name for name in digits if digits[name].nunique() == 1]
    assert line.endswith(f"constant, kept but without information: {', '.join(constant)}")
    found = strict_json(tmp_path / "out" / "hyperparam_results_latent3.json")
    assert found["total_configurations"] == len(found["all_results"]) == 34
    assert all(entry["final_test_loss"] < 1 for entry in found["all_results"])


def test_the_second_command_of_the_readme_on_the_shipped_table(root, tmp_path):
    done = subprocess.run(
        [sys.executable, "hyperparam_optimizer.py", "--latent_dim", "2", "--hidden_dims_search", "8,16,32",
         "--max_layers", "2", "--epochs", "5", "--output_dir", str(tmp_path)],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "data/stains.csv: 2,008 rows x 24 columns, 1,606 to train on, 402 to test on" in done.stdout
    found = strict_json(tmp_path / "hyperparam_results_latent2.json")
    assert len(found["all_results"]) == 9
    assert found["environment"]["columns"][:2] == ["L", "Ind"]
    assert found["best_configuration"]["final_test_loss"] < 0.1
    assert_picture(tmp_path / "latent_space_2d_best_config.png")


def test_the_first_of_the_finalists_is_kept(call, table_csv, tmp_path) -> None:
    options = ["--data_path", table_csv, "--output_dir", tmp_path, "--hidden_dims_search", "4,8",
               "--max_layers", 2, "--epochs", 3, "--folds", 3, "--save_models"]  # fmt: skip
    assert call("search", *options).code == 0
    answer = call("search", *options, "--finalists", 4)
    assert answer.code == 0, answer.err
    assert "15 of 15 already trained" in answer.out
    assert "the best 4 are judged again at the end, by up to 9 further folds" in answer.out
    document = strict_json(tmp_path / "hyperparam_results_latent3.json")
    judged = document["finalists"]
    assert [finalist["n_folds"] for finalist in judged] == [12, 12, 6, 6]
    best = sorted(document["all_results"], key=lambda result: result["mean_test_loss"])[:4]
    assert sorted(finalist["config"] for finalist in judged) == sorted(result["config"] for result in best)
    assert document["selection"]["rule"] == "finalists"
    assert document["selection"]["chosen"] == document["best_configuration"]["config"] == judged[0]["config"]
    assert load_model(tmp_path / "best_model_latent3.pth").info["hidden_dims"] == judged[0]["config"]
    name = "-".join(map(str, judged[0]["config"]))
    assert f"finalist      {name}: {judged[0]['mean']:.4f} over 12 folds" in answer.out
    board = load_results(tmp_path).leaderboard.set_index("stack")
    assert board["finalist_mean"].count() == 4
    assert board["finalist_mean"][name] == judged[0]["mean"]
    # All of it is recorded, and nothing is trained twice.
    size = (tmp_path / "study.journal").read_text().count('"fold"')
    assert call("search", *options, "--finalists", 4).code == 0
    assert (tmp_path / "study.journal").read_text().count('"fold"') == size
    assert strict_json(tmp_path / "hyperparam_results_latent3.json")["finalists"] == judged
