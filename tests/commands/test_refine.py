"""``refine`` from outside: a file that loads, says where it came from, and replaces nothing."""

from __future__ import annotations

import pandas as pd
import pytest

from autoenc.config import load_layers, resolve
from autoenc.settings import TuneSettings
from autoenc.workflows.observe import observe_folder

SMALL = ["--hidden_size_range", "8,32", "--num_layers_range", "1,2", "--epochs", "2", "--jobs", "1"]


@pytest.fixture(scope="module")
def table(tmp_path_factory, root):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    pd.read_csv(root / "data" / "stains.csv").head(120).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def coarse(call, table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("coarse")
    options = [
        "--strategy",
        "random",
        "--n_trials",
        8,
        "--families",
        "ae,dae",
        "--kl_warmup",
        3,
        "--kl_weight",
        0.01,
        "--columns",
        "Lec,CG,L,Ind,MG",
    ]
    options += ["--latent_dim", 2, "--folds", 2, "--stratify", "profile", "--timeout_hours", 0.5]
    answer = call("tune", "--data_path", table, "--output_dir", folder, *SMALL, *options, "--quiet")
    assert answer.code == 0, answer.err
    return folder


def loaded(path, **flags):
    layers, problems = load_layers(None, str(path), {})
    assert not problems
    found = resolve(TuneSettings, layers, flags)
    assert not found.problems
    assert not found.unused
    return found.settings


def test_the_file_loads_and_judges_by_the_same_rows(call, coarse, table, tmp_path):
    path = tmp_path / "fine.yaml"
    answer = call("refine", "--from", coarse, "--to", path, "--n_trials", 9, "--search_method", "resilient")
    assert answer.code == 0, answer.err
    assert "learning_rate_range" in answer.out
    settings = loaded(path)
    assert (settings.strategy, settings.n_trials, settings.timeout_hours) == ("resilient", 9, 0.5)
    assert (settings.latent_dim, settings.folds, settings.stratify) == (2, 2, "profile")
    assert (settings.kl_weight, settings.kl_warmup) == (0.01, 3)
    assert settings.columns == ("Lec", "CG", "L", "Ind", "MG")
    assert settings.data_path == str(table)
    best = observe_folder(coarse, None, "coarse").trials[0].parameters
    low, high = settings.learning_rate_range
    assert low <= best["learning_rate"] <= high
    assert best["activation"] in settings.activation_options
    assert best["family"] in settings.families


def test_each_range_says_where_it_came_from(call, coarse, tmp_path):
    call("refine", "--from", coarse, "--to", tmp_path / "fine.yaml")
    lines = (tmp_path / "fine.yaml").read_text().splitlines()
    assert "of 8 finished trials of" in lines[0]
    assert max(map(len, lines)) <= 110
    at = lines.index("search_space:") + 1
    options = [i for i in range(at, len(lines)) if not lines[i].strip().startswith("#")]
    assert len(options) == 8
    assert all(lines[i - 1].strip().startswith("#") for i in options)
    assert "  # was 1e-05, 0.01; best " in "\n".join(lines)


def test_a_file_is_replaced_only_where_that_is_asked_for(call, coarse, tmp_path):
    path = tmp_path / "fine.yaml"
    path.write_text("mine")
    answer = call("refine", "--from", coarse, "--to", path)
    assert answer.code == 2
    assert "exists already" in answer.err
    assert path.read_text() == "mine"
    assert call("refine", "--from", coarse, "--to", path, "--force").code == 0
    assert path.read_text() != "mine"


def test_an_exhaustive_search_is_refined_as_far_as_it_has_ranges(call, table, tmp_path):
    grid = ["--hidden_dims_search", "8,16", "--max_layers", 2, "--epochs", 2, "--weight_decay", "0,1e-4"]
    call("search", "--data_path", table, "--output_dir", tmp_path, *grid, "--quiet")
    path = tmp_path / "fine.yaml"
    assert call("refine", "--from", tmp_path, "--to", path).code == 0
    settings = loaded(path)
    assert settings.learning_rate_range == (1e-3, 1e-3)
    assert settings.activation_options == ("relu",)
    text = path.read_text()
    assert "options with one value there stay fixed" in text
    assert "losses cannot be compared" in text.replace("\n# ", " ")


def test_what_is_wrong_is_told(call, coarse, table, tmp_path):
    def told(*options):
        answer = call("refine", *options)
        assert answer.code == 2
        assert "Traceback" not in answer.err
        return answer.err

    assert "--from is required" in told()
    assert "there is no study.journal here" in told("--from", tmp_path, "--to", tmp_path / "x.yaml")
    assert "is a folder" in told("--from", coarse, "--to", tmp_path)
    assert "there is no folder" in told("--from", coarse, "--to", tmp_path / "no" / "x.yaml")
    assert "--top must be at least 3" in told("--from", coarse, "--to", tmp_path / "x.yaml", "--top", 2)
    assert "has 8 finished trials; 99 are needed" in told(
        "--from", coarse, "--to", tmp_path / "x.yaml", "--top", 99
    )
    assert not list(tmp_path.iterdir())
