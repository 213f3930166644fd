"""The files of runs: what they hold, how a run ends, and `runs` and `runs diff`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from processes import start

from autoenc import InputError
from autoenc.record.environment import describe_machine
from autoenc.record.runs import TrackedRun, convergence_epoch, read_run, run_state
from autoenc.settings import SearchSettings

GRID = ["--hidden_dims_search", "4,2", "--max_layers", "1", "--latent_dim", "2", "--quiet"]


def track(folder: Path, **options: object) -> TrackedRun:
    return TrackedRun(folder, "search", SearchSettings(**options), "f00d", [42, 43])


def rows(answer) -> list[list[str]]:
    """The table of `runs`, split where at least two blanks are."""
    assert answer.code == 0, answer.err
    return [line.split("  ") for line in answer.out.splitlines()[1:]]


@pytest.fixture(scope="module")
def folders(call, table_csv, tmp_path_factory):
    """Two output folders, one with two runs and one with a run of more epochs, and their ids."""
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    words = ["search", "--data_path", table_csv, *GRID]
    assert call(*words, "--epochs", "1", "--output_dir", one) == (0, "", "")
    assert call(*words, "--epochs", "2", "--output_dir", one) == (0, "", "")
    assert call(*words, "--epochs", "30", "--seed", "5", "--output_dir", other) == (0, "", "")
    # Runs of the same second are told apart, but not put into order, by their ids.
    documents = [read_run(path) for folder in (one, other) for path in (folder / "runs").iterdir()]
    ids = {document["settings"]["epochs"]: document["id"] for document in documents}
    return one, other, ids


def test_a_search_leaves_a_description(folders):
    _, other, ids = folders
    run = read_run(other / "runs" / f"{ids[30]}.json")
    assert (run["state"], run["reason"], run["command"]) == ("finished", None, "search")
    assert run["started"] < run["ended"]
    assert run["started"].endswith("+00:00")
    options = SearchSettings.model_validate(run["settings"])
    assert (options.epochs, options.hidden_dims_search, options.output_dir) == ((30,), (4, 2), str(other))
    text = json.dumps(options.model_dump(mode="json"), sort_keys=True)
    assert run["settings_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert run["seeds"] == [5]
    results = json.loads((other / "hyperparam_results_latent2.json").read_text())
    assert run["data_fingerprint"] == results["environment"]["data_fingerprint"]
    metrics = run["metrics"]
    best = min(results["all_results"], key=lambda entry: entry["final_test_loss"])
    assert metrics["best_loss"] == best["final_test_loss"]
    assert metrics["best_stack"] == str(best["config"][0])
    assert metrics["n_parameters"] == best["model_params"]
    assert metrics["training_seconds"] == best["seconds"]
    assert metrics["convergence_epoch"] == convergence_epoch(best["test_losses"])
    assert 0 < metrics["inference_us_per_row"] < 1000
    assert run["curves"] == {key: best[key] for key in ("train_losses", "test_losses")}


def test_a_description_says_what_ran(folders):
    one, _, ids = folders
    environment = read_run(one / "runs" / f"{ids[1]}.json")["environment"]
    assert environment == describe_machine()
    assert {"autoenc", "python", "torch", "numpy", "numba"} <= set(environment["versions"])
    assert environment["n_cores"] >= 1
    assert environment["git_dirty"] in (True, False, None)
    assert (environment["git_commit"] is None) == (environment["git_dirty"] is None)


def test_git_state_tells_changed_files_and_no_checkout(tmp_path):
    from autoenc.record.environment import _git_state as git_state

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    assert git_state.__wrapped__(tmp_path) == (None, None)
    git("init")
    assert git_state.__wrapped__(tmp_path) == (None, False)
    (tmp_path / "a").write_text("a")
    git("add", "a")
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-m", "a")
    commit, dirty = git_state.__wrapped__(tmp_path)
    assert (len(commit), dirty) == (40, False)
    (tmp_path / "b").write_text("untracked")
    assert git_state.__wrapped__(tmp_path) == (commit, False)
    (tmp_path / "a").write_text("changed")
    assert git_state.__wrapped__(tmp_path) == (commit, True)


def test_a_run_that_goes_on_says_so_until_it_ends(tmp_path):
    with track(tmp_path) as run:
        document = read_run(run.path)
        assert (document["state"], document["ended"], run_state(document)) == ("running", None, "running")
        run.conclude("stopped by SIGTERM", {"best_loss": 0.5})
    document = read_run(run.path)
    assert (document["state"], document["metrics"]) == ("stopped by SIGTERM", {"best_loss": 0.5})


def test_a_run_that_raises_has_failed(tmp_path):
    run = track(tmp_path)
    with pytest.raises(ValueError, match="no luck"), run:
        raise ValueError("no luck")
    document = read_run(run.path)
    assert (document["state"], document["reason"]) == ("failed", "no luck")


def test_the_error_that_ended_a_run_is_told_where_its_file_cannot_be_written(tmp_path):
    run = track(tmp_path)

    def fill_the_disk() -> None:
        run.path.unlink()
        run.path.parent.rmdir()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), run:
        fill_the_disk()


def test_a_killed_run_is_interrupted(tmp_path, root, call, compiled_engine):
    arguments = ["search", "--data_path", str(root / "data" / "stains.csv"), "--epochs", "100000",
                 "--output_dir", str(tmp_path)]  # fmt: skip
    process = start(arguments, tmp_path / "log")
    while not list((tmp_path / "runs").glob("*.json")):
        assert process.is_alive(), (tmp_path / "log").read_text()
    assert "  running  " in call("runs", tmp_path).out
    process.kill()
    process.join()
    assert "  interrupted  " in call("runs", tmp_path).out
    assert rows(call("runs", tmp_path, "--where", "state=interrupted"))
    (path,) = (tmp_path / "runs").glob("*.json")
    with track(tmp_path):
        assert read_run(path)["state"] == "interrupted"


def test_a_run_that_is_broken_off_in_a_command_without_signals_was_stopped(tmp_path):
    run = track(tmp_path)
    with pytest.raises(KeyboardInterrupt), run:
        raise KeyboardInterrupt
    assert (read_run(run.path)["state"], read_run(run.path)["reason"]) == ("stopped by SIGINT", None)


def test_another_process_of_the_same_number_is_not_the_run(tmp_path):
    with track(tmp_path) as run:
        document = read_run(run.path)
        document["process"]["started"] -= 100
        assert run_state(document) == "interrupted"
        document["process"]["host"] = "elsewhere"  # nobody can know
        assert run_state(document) == "running"


@pytest.mark.parametrize(
    ("losses", "epoch"), [([], None), ([3.0], 1), ([5, 2, 1.009, 1.0, 4], 3), ([0, 0], 1)]
)
def test_convergence_epoch(losses, epoch):
    assert convergence_epoch(losses) == epoch


def test_runs_are_listed_and_sorted(call, folders):
    one, other, ids = folders
    answer = call("runs", one, other)
    assert answer.out.splitlines()[0].split() == [
        "id", "started", "(UTC)", "command", "state", "best", "stack", "loss", "seconds", "commit",
    ]  # fmt: skip
    assert {row[0] for row in rows(answer)} == set(ids.values())
    by_epochs = [row[0] for row in rows(call("runs", other, one, "--sort", "epochs"))]
    assert by_epochs == [ids[1], ids[2], ids[30]]
    assert [row[0] for row in rows(call("runs", one, other, "--sort", "-epochs"))] == by_epochs[::-1]
    losses = [
        float(line.split()[6])
        for line in call("runs", one, other, "--sort", "best_loss").out.splitlines()[1:]
    ]
    assert losses == sorted(losses)


@pytest.mark.parametrize(
    ("conditions", "epochs"),
    [
        (["epochs=2"], [2]),
        (["epochs = 2.0"], [2]),
        (["epochs!=2"], [1, 30]),
        (["epochs>1", "epochs<=2"], [2]),
        (["hidden_dims_search=4,2", "seed=5"], [30]),
        (["quiet=true"], [1, 2, 30]),
        (["state=finished", "best_loss>0", "started>2000-01-01"], [1, 2, 30]),
    ],
)
def test_runs_are_filtered(call, folders, conditions, epochs):
    one, other, ids = folders
    words = [word for condition in conditions for word in ("--where", condition)]
    assert {row[0] for row in rows(call("runs", one, other, *words))} == {ids[n] for n in epochs}


def test_no_run_may_match(call, folders):
    assert call("runs", folders[0], "--where", "epochs=77") == (0, "no run matches\n", "")


def test_diff_shows_what_differs(call, folders):
    one, other, ids = folders
    short = next(ids[1][:n] for n in range(1, 30) if not ids[2].startswith(ids[1][:n]))
    answer = call("runs", "diff", short, other / "runs" / f"{ids[30]}.json", "--output_dir", one)
    assert answer.code == 0, answer.err
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[0] == [ids[1], ids[30]]
    assert ["epochs", "1", "30"] in lines
    assert ["seed", "42", "5"] in lines
    names = [line[0] for line in lines]
    assert [len(line) for line in lines if line[0] == "best_loss"] == [5]  # with the change in percent
    assert "max_layers" not in names
    assert lines[-1] == ["surroundings:", "no", "difference"]


def test_diff_of_a_run_with_itself_shows_nothing(call, folders):
    one, _, ids = folders
    lines = call("runs", "diff", one / "runs" / ids[1], one / "runs" / ids[1]).out.splitlines()
    assert lines[1:] == [f"{part}: no difference" for part in ("settings", "results", "surroundings")]


def test_what_cannot_be_found_is_one_clear_line(call, folders, tmp_path):
    one, _, ids = folders
    assert call("runs", tmp_path / "none", tmp_path).err.splitlines() == [
        f"error: {tmp_path}/none: there is no such folder; `autoenc search --output_dir` makes one",
        f"error: {tmp_path}: holds no runs; `autoenc search --output_dir` makes one",
    ]
    answer = call("runs", "diff", "zzz", "20", "--output_dir", one)
    assert answer.code == 2
    unknown, ambiguous = answer.err.splitlines()
    assert unknown.startswith(f"error: zzz: no run in {one}/runs starts with this")
    assert ambiguous == f"error: 20: 2 runs start with this: {', '.join(sorted([ids[1], ids[2]]))}"
    answer = call("runs", one, "--where", "epoch=1", "--sort", "best_los")
    assert answer.code == 2
    assert answer.err.splitlines() == [
        "error: --where epoch=1: no run has epoch; did you mean epochs?",
        "error: --sort: no run has best_los; did you mean best_loss?",
    ]
    assert "must compare a name" in call("runs", one, "--where", "epochs").err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is damaged: "),
        ("[]", "is no description of a run"),
        ("{}", "is no description of a run"),
        ('{"format_version": 1, "id": 3}', "is damaged: id, state, command, "),
        (b"\xff", "is damaged: "),
    ],
)
def test_a_damaged_file_is_named_and_passed_over(call, tmp_path, content, told):
    with track(tmp_path) as run:
        pass
    bad = tmp_path / "runs" / "1999.json"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    answer = call("runs", tmp_path)
    assert len(rows(answer)) == 1
    assert answer.err.startswith(f"warning: {bad}: {told}")
    assert answer.err.endswith("; passed over\n")
    answer = call("runs", "diff", bad, run.path)
    assert answer.code == 2
    (line,) = answer.err.splitlines()
    assert line.startswith(f"error: {bad}: {told}")
    run.path.unlink()
    assert call("runs", tmp_path).err.splitlines()[-1] == f"error: {tmp_path}: every run there is damaged"


def test_a_description_that_is_not_there_is_told():
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_run(Path("none.json"))


def test_tracking_imports_no_torch(root):
    code = "import sys, autoenc.workflows.tracking, autoenc.commands.runs; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize("option", [("--select", "one_se", "--folds", "3"), ("--score", "1*params")])
def test_runs_show_the_stack_that_was_kept_and_the_file_has_both(call, table_csv, tmp_path, option):
    widths = [
        "--hidden_dims_search",
        "2,32",
        "--max_layers",
        "2",
        "--ensemble",
        "2",
        "--quiet",
        "--jobs",
        "1",
    ]
    words = ["search", "--data_path", table_csv, "--output_dir", tmp_path, "--epochs", "40", *widths]
    assert call(*words, *option).code == 0
    results = json.loads((tmp_path / "hyperparam_results_latent3.json").read_text())
    (path,) = (tmp_path / "runs").glob("*.json")
    metrics = read_run(path)["metrics"]
    chosen, lowest = results["best_configuration"], min(e["final_test_loss"] for e in results["all_results"])
    assert (metrics["chosen_loss"], metrics["best_loss"]) == (chosen["final_test_loss"], lowest)
    assert metrics["chosen_stack"] == "-".join(map(str, chosen["config"]))
    assert metrics["n_parameters"] == chosen["model_info"]["total_params"]
    assert metrics["rule"] == results["selection"]["rule"]
    assert metrics["ensemble_test_loss"] == results["ensemble"]["test_loss"]
    assert metrics.get("test_loss") == chosen.get("holdout_test_loss")
    if "--score" in option:
        assert metrics["chosen_stack"] == "2" != metrics["best_stack"]
    line = call("runs", tmp_path).out.splitlines()[1]
    assert f"{metrics['chosen_stack']} (by {metrics['rule']})" in line
    assert f"{metrics['chosen_loss']:.6f}" in line
    state = json.loads((tmp_path / "search_state.json").read_text())["best_configuration"]
    assert (state["config"], state["rule"]) == (chosen["config"], metrics["rule"])


def test_compare_shows_the_stack_that_was_kept(call, table_csv, tmp_path):
    words = ["search", "--data_path", table_csv, "--epochs", "20", "--hidden_dims_search", "2,32", "--quiet"]
    assert (
        call(*words, "--latent_dim", "2,3", "--score", "1*params", "--output_dir", tmp_path / "a").code == 0
    )
    lines = call("compare", tmp_path / "a").out.splitlines()[1:3]
    losses = [
        json.loads((tmp_path / "a" / f"hyperparam_results_latent{size}.json").read_text())[
            "best_configuration"
        ]
        for size in (2, 3)
    ]
    assert [line.split()[1:3] for line in lines] == [["2", f"{e['final_test_loss']:.6f}"] for e in losses]
    assert all(line.endswith("by score 1*params") for line in lines)
    assert call(*words, "--latent_dim", "4", "--folds", "3", "--output_dir", tmp_path / "b").code == 0
    refused = call("compare", tmp_path / "a", tmp_path / "b")
    assert refused.code == 2
    assert "other rows judge other latent sizes (size 2 by the test rows, " in refused.err


def test_a_changed_digit_of_a_run_is_seen(call, folders, tmp_path):
    one, _, ids = folders
    whole = (one / "runs" / f"{ids[1]}.json").read_text()
    loss = str(json.loads(whole)["metrics"]["best_loss"])
    changed = "9" + loss[1:] if loss[0] != "9" else "8" + loss[1:]
    (tmp_path / "runs").mkdir()
    path = tmp_path / "runs" / f"{ids[1]}.json"
    path.write_text(whole.replace(f'"best_loss": {loss}', f'"best_loss": {changed}'))
    with pytest.raises(InputError, match="is damaged: its digest does not fit"):
        read_run(path)
    answer = call("runs", tmp_path, one)
    assert (answer.code, answer.err.count("warning: ")) == (0, 1)
    assert len(rows(answer)) == 2


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        (None, "started", "yesterday"),
        (None, "ended", -1),
        ("environment", "git_commit", 7),
        ("metrics", "best_loss", "low"),
        ("metrics", "chosen_loss", 10**400),
        ("metrics", "convergence_epoch", [3]),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_where_there_is_no_digest(
    call, folders, tmp_path, section, key, value
):
    one, _, ids = folders
    document = json.loads((one / "runs" / f"{ids[1]}.json").read_text())
    del document["digest"]
    assert document.get("metrics")
    (tmp_path / "runs").mkdir()
    path = tmp_path / "runs" / "older.json"
    path.write_text(json.dumps(document))
    assert call("runs", tmp_path).code == 0
    (document if section is None else document[section])[key] = value
    path.write_text(json.dumps(document))
    answer = call("runs", tmp_path)
    assert answer.code == 2
    name = key if section is None else f"{section}.{key}"
    assert f"older.json: is damaged: {name} missing or wrong" in answer.err
