"""Options put on top of each other, and what `config show` and the commands say of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from autoenc.config import Resolution, load_layers, resolve
from autoenc.settings import MergeSettings, RefineSettings, SearchSettings, TransferSettings, TuneSettings
from autoenc.settings.tune import StrategyName

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted([*ROOT.glob("configs/**/*.yaml"), *ROOT.glob("autoenc/config/searches/*.yaml")])


@pytest.fixture
def resolved(tmp_path, monkeypatch):
    """Resolves options from the text of an experiment, of a search file, and flags."""
    monkeypatch.chdir(tmp_path)

    def make(kind, text, search=None, environment=None, **flags) -> Resolution:
        Path("x.yaml").write_text(text)
        if search is not None:
            Path("s.yaml").write_text(search)
        layers, problems = load_layers("x.yaml", None if search is None else "s.yaml", environment or {})
        assert problems == []
        return resolve(kind, layers, flags)

    return make


def test_each_layer_goes_before_those_below(resolved):
    text = "epochs: 1\nseed: 1\njobs: 1\nfolds: 2\ncluster_overrides:\n  seed: 2\n  jobs: 2\n  folds: 3\n"
    slurm = {"SLURM_JOB_ID": "1"}
    found = resolved(SearchSettings, text, "jobs: 3\nfolds: 4\n", slurm, folds="5")
    assert found.problems == []
    settings = found.settings
    assert (settings.epochs, settings.seed, settings.jobs, settings.folds) == ((1,), 2, 3, 5)
    origins = {name: found.origins[name] for name in ("max_layers", "epochs", "seed", "jobs", "folds")}
    assert origins == {
        "max_layers": "default",
        "epochs": "x.yaml:1",
        "seed": "cluster_overrides of x.yaml:6",
        "jobs": "s.yaml:1",
        "folds": "command line",
    }


def test_one_file_serves_several_commands(resolved):
    text = "hidden_dims_search: [8, 16]\nn_trials: 7\nepochs: 3\n"
    search, tune = resolved(SearchSettings, text), resolved(TuneSettings, text)
    assert search.settings.hidden_dims_search == (8, 16)
    assert [entry.key for entry in search.unused] == ["n_trials"]
    assert tune.settings.n_trials == 7
    assert [entry.key for entry in tune.unused] == ["hidden_dims_search"]


def test_a_search_file_sets_the_space_and_the_strategy_of_tune_alone(resolved):
    search = "search_method: random\nbudget_hours: 0.5\nsearch_space:\n  dropout_range: 0.1\n"
    text = "strategy: halving\n"
    tune = resolved(TuneSettings, text, search).settings
    assert (tune.strategy, tune.timeout_hours, tune.dropout_range) == ("random", 0.5, (0.1, 0.1))
    grid = resolved(SearchSettings, text, search)
    assert grid.settings.strategy == "halving"
    assert [entry.key for entry in grid.unused] == ["dropout_range", "search_method", "budget_hours"]


def test_a_search_file_sets_the_space_of_a_transfer_aware_search(resolved, root, call):
    search = (root / "configs/hyperparameter_search/transfer_wide.yaml").read_text()
    found = resolved(TransferSettings, "head_dropout_range: 0.1\nepochs: 3\n", search)
    assert found.unused == []
    assert found.settings.head_dropout_range == (0, 0.5)
    assert found.settings.learning_rate_range == (2e-4, 1e-2)
    assert [entry.key for entry in resolved(TuneSettings, "", search).unused] == ["head_dropout_range"]
    Path("t.yaml").write_text("search_space:\n  num_layers_range: [1, 2]\n")
    answer = call("config", "show", "transfer", "--search_config", "t.yaml")
    told = "warning: t.yaml:2: num_layers_range is no part of the space of transfer, and passed over\n"
    assert (answer.code, answer.err) == (0, told)
    assert call("config", "show", "transfer", "--config", "t.yaml").err == ""
    text = "search_method: bayesian\nsampler: random\nbudget_hours: 2\n"
    found = resolved(TransferSettings, text)
    assert (found.settings.sampler, found.settings.timeout_hours) == ("tpe", 2)
    assert found.origins["sampler"] == "x.yaml:1"
    for method in get_args(StrategyName):
        assert resolved(TransferSettings, f"search_method: {method}\n").settings.sampler == method
        assert resolved(TuneSettings, f"search_method: {method}\n").settings.strategy == method


@pytest.mark.parametrize(
    ("kind", "option"), [(TuneSettings, "strategy"), (TransferSettings, "sampler")], ids=["tune", "transfer"]
)
def test_a_file_takes_every_method_that_the_flag_takes(resolved, kind, option):
    for method in get_args(kind.model_fields[option].annotation):
        found = resolved(kind, f"search_method: {method}\n")
        assert (found.problems, getattr(found.settings, option)) == ([], method)


def test_refine_takes_the_method_of_its_fine_search_from_a_file(resolved):
    found = resolved(RefineSettings, "search_method: resilient\n", from_="coarse", to="fine.yaml")
    assert (found.problems, found.unused, found.settings.search_method) == ([], [], "resilient")


def test_in_one_file_the_method_of_a_space_goes_before_the_strategy_of_a_grid(resolved):
    text = "search_method: cmaes\nstrategy: halving\n"
    assert resolved(TuneSettings, text).settings.strategy == "cmaes"
    assert resolved(SearchSettings, text).settings.strategy == "halving"


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (SearchSettings, "seed: 1\nepochs: 0\n", "x.yaml:2: epochs must be at least 1, got '0'"),
        (SearchSettings, "epochs: true\n", "x.yaml:1: epochs must be a whole number, got 'true'"),
        (SearchSettings, "epochs:\n", "x.yaml:1: epochs must be a whole number, got nothing"),
        (SearchSettings, "epochs: 2024-01-01\n", "x.yaml:1: epochs must be a whole number, got '2024-01-01'"),
        (SearchSettings, "quiet: maybe\n", "x.yaml:1: quiet must be true or false, got 'maybe'"),
        (SearchSettings, "data_path: [a, b]\n", "x.yaml:1: data_path must be text, got ['a', 'b']"),
        (SearchSettings, "latent_dim:\n- 2\n- x\n", "x.yaml:3: latent_dim must be a whole number, got 'x'"),
        (
            SearchSettings, "initial_lr: 1e-3\neta_min: 1e-2\n",
            "x.yaml:2, x.yaml:1: --eta_min must not be above --initial_lr, got 0.01 and 0.001",
        ),
        (TuneSettings, "budget_hours: 0\n", "x.yaml:1: budget_hours must be above 0.0, got '0'"),
        (
            TuneSettings, "search_space:\n  num_layers_range: [3, 1]\n",
            "x.yaml:2: num_layers_range must be an ascending range, e.g. 1,3, got 3,1",
        ),
        (TuneSettings, "strategy: halving\n", "x.yaml:1: strategy must be one of"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_file_and_line(resolved, kind, text, problem):
    found = resolved(kind, text)
    assert found.settings is None
    (line,) = found.problems
    assert line.startswith(problem)


def test_a_wrong_flag_over_a_right_file_is_told_as_a_flag(resolved):
    assert resolved(SearchSettings, "epochs: 3\n", epochs="0").problems == [
        "--epochs must be at least 1, got '0'"
    ]


def test_a_file_may_hold_what_is_required(resolved):
    assert resolved(MergeSettings, "output_dir: out\n", folders=["a"]).settings.output_dir == "out"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.parametrize("kind", [SearchSettings, TuneSettings, TransferSettings])
@pytest.mark.parametrize("environment", [{}, {"SLURM_JOB_ID": "1"}], ids=["here", "slurm"])
def test_the_shipped_files_are_right(path, kind, environment):
    layers, problems = load_layers(str(path), None, environment)
    assert problems == []
    assert resolve(kind, layers, {}).problems == []


def test_the_shipped_search_files_go_with_the_shipped_experiment():
    assert {path.stem for path in SHIPPED} >= {"base", "copus", "transfer", "coarse_search", "fine_search"}
    experiment = next(path for path in SHIPPED if path.stem == "copus")
    searches = [path for path in SHIPPED if path.parent.name == "searches"]
    assert len(searches) == 3
    for path in searches:
        layers, _ = load_layers(str(experiment), str(path), {})
        found = resolve(TuneSettings, layers, {})
        assert found.problems == []
        assert found.settings.timeout_hours is not None


def test_show_prints_every_option_with_its_origin(call, resolved):
    resolved(SearchSettings, "epochs: 3\nn_trials: 5\nquiet: yes\n")
    answer = call("config", "show", "search", "--config", "x.yaml", "--seed", "7", "--no-quiet")
    assert (answer.code, answer.err) == (0, "")
    options, _, unused = answer.out.partition("\n\n")
    rows = dict(line.split(maxsplit=1) for line in options.splitlines())
    assert list(rows) == list(SearchSettings.model_fields)
    for name, told in {
        "epochs": ["3", "x.yaml:1"],
        "seed": ["7", "command line"],
        "quiet": ["false", "command line"],
        "score": ["-", "default"],
        "hidden_dims_search": ["16,32,64,128", "default"],
    }.items():
        assert rows[name].split(maxsplit=1) == told
    assert unused == "not used by search:\nn_trials  x.yaml:2\n"


def test_show_tells_the_problems_of_the_command(call, resolved):
    resolved(SearchSettings, "epochs: 0\n")
    answer = call("config", "show", "search", "--config", "x.yaml")
    assert answer == (2, "", "error: x.yaml:1: epochs must be at least 1, got '0'\n")


def test_problems_of_files_and_flags_are_told_together(call, resolved):
    resolved(SearchSettings, "epochs: 0\n", "n_trials: 3\n")
    Path("y.yaml").write_text("extends: x.yaml\nseeed: 3\n")
    answer = call("search", "--config", "y.yaml", "--search-config=s.yaml", "--jobs", "0", "--jbos", "3")
    assert answer.code == 2
    assert answer.err.splitlines() == [
        "error: --jbos is not an option; did you mean --jobs?",
        "error: y.yaml:2: seeed is no option of any command; did you mean seed?",
        "error: --jobs must be at least 1, got '0'",
        "error: x.yaml:1: epochs must be at least 1, got '0'",
    ]


def test_a_search_takes_its_options_from_a_file(call, table_csv, tmp_path):
    (tmp_path / "x.yaml").write_text(
        f"data_path: {table_csv}\nhidden_dims_search: 4\nmax_layers: 1\nepochs: 1\nquiet: yes\n"
        f"latent_dim: 2\noutput_dir: {tmp_path / 'out'}\n"
    )
    assert call("search", "--config", tmp_path / "x.yaml") == (0, "", "")
    assert (tmp_path / "out" / "hyperparam_results_latent2.json").exists()


def test_resuming_does_not_start_over_where_the_file_says_so(monkeypatch):
    from autoenc.commands.resume import same_command

    monkeypatch.setattr(sys, "argv", ["autoenc", "search", "--config", "x.yaml"])
    assert same_command(SearchSettings(fresh=True)) == "autoenc search --config x.yaml --no_fresh"
    assert same_command(SearchSettings()) == "autoenc search --config x.yaml"


def test_the_script_takes_a_file_too(root, tmp_path):
    (tmp_path / "x.yaml").write_text("epochs: 0\n")
    run = subprocess.run(
        [sys.executable, "hyperparam_optimizer.py", "--config", str(tmp_path / "x.yaml")],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr == f"error: {tmp_path}/x.yaml:1: epochs must be at least 1, got '0'\n"
