from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from processes import results_but_time
from slurm_cluster import slurm_cluster, wait_for

pytestmark = pytest.mark.slow

GRID = ["--hidden_dims_search", "4,8", "--max_layers", "2", "--folds", "2"]
SLOW = ["--hidden_dims_search", "128", "--max_layers", "3", "--folds", "2", "--seeds", "3", "--epochs", "600"]
N_SLOW = 18


@pytest.fixture(scope="module")
def configuration():
    with slurm_cluster() as path:
        yield path


@pytest.fixture
def ask(configuration, monkeypatch):
    """Asks SLURM; the commands that a test calls reach it, too."""
    monkeypatch.setenv("SLURM_CONF", str(configuration))
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.chdir(root)

    def asked(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    return asked


def options(table_csv: Path, epochs: int) -> list[str]:
    return ["--data_path", str(table_csv), *GRID, "--epochs", str(epochs)]


def logs(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted((folder / "slurm").glob("*.log")))


def n_recorded(journal: Path) -> int:
    return journal.read_text().count('"architecture"') if journal.exists() else 0


def test_an_array_and_its_merge_come_to_the_same(ask, call, table_csv, tmp_path) -> None:
    out = tmp_path / "out folder, 100%j %20x"
    answer = call("slurm", "--array", "3", "--parallel", "2", "--time", "5", "--output_dir", out,
                  *options(table_csv, 3))  # fmt: skip
    assert answer.code == 0, answer.err
    wait_for(lambda: not ask("squeue", "--noheader"))
    assert "complete" in logs(out), logs(out)
    assert {path.name for path in out.glob("*.journal")} == {
        *(f"study.shard-{i}-of-3.journal" for i in range(3)),
        "study.journal",
    }
    assert call("search", *options(table_csv, 3), "--output_dir", tmp_path / "here").code == 0
    assert results_but_time(out) == results_but_time(tmp_path / "here")


@pytest.mark.parametrize("how", ["requeued", "signalled"])
def test_a_task_goes_on_after(how, ask, call, table_csv, tmp_path) -> None:
    out = tmp_path / "out"
    answer = call(
        "slurm", "--array", "1", "--time", "5", "--output_dir", out, "--data_path", table_csv, *SLOW
    )
    assert answer.code == 0, answer.err
    task = re.search(r"array +(\d+),", answer.out).group(1) + "_0"
    journal = out / "study.shard-0-of-1.journal"
    wait_for(lambda: n_recorded(journal) >= 1)
    if how == "requeued":
        ask("scontrol", "requeue", task)
    else:
        ask("scancel", "--signal=USR1", "--batch", task)
    wait_for(lambda: not ask("squeue", "--noheader"))
    told = logs(out)
    assert re.search(rf"\d+ of {N_SLOW} already trained", told), told
    assert "complete" in told
    assert n_recorded(journal) == N_SLOW, "something was trained twice"
    assert n_recorded(out / "study.journal") == N_SLOW + 1, "and the best on all training rows"


def test_what_slurm_refuses_is_told_in_its_words(ask, call, table_csv, tmp_path) -> None:
    answer = call("slurm", "--array", "2", "--time", "5", "--partition", "nowhere", "--output_dir", tmp_path,
                  *options(table_csv, 2))  # fmt: skip
    assert answer.code == 2
    assert answer.err.startswith("error: SLURM refuses array.sh: ")
    assert "invalid partition" in answer.err


def test_dry_run_prints_scripts_and_leaves_nothing(call, table_csv, tmp_path) -> None:
    answer = call("slurm", "--array=36", "--parallel", "4", "--time", "12:00:00", "--partition", "long",
                  "--cpus", "8", "--mem", "4G", "--dry-run", "--output_dir", tmp_path / "out",
                  "--score", "loss*1", *options(table_csv, 2))  # fmt: skip
    assert answer.code == 2, "the score is no score"
    answer = call("slurm", "--array=36", "--parallel", "4", "--time", "12:00:00", "--partition", "long",
                  "--cpus", "8", "--mem", "4G", "--dry-run", "--output_dir", tmp_path / "out",
                  "--score", "0.8*loss+0.2*time", *options(table_csv, 2))  # fmt: skip
    assert answer.code == 0, answer.err
    assert not (tmp_path / "out").exists()
    for line in ("--array=0-35%4", "--time=12:00:00", "--partition=long", "--cpus-per-task=8", "--mem=4G",
                 "--requeue", "--signal=B:USR1@60", "--open-mode=append"):  # fmt: skip
        assert f"\n#SBATCH {line}\n" in answer.out
    assert "'--score=0.8*loss+0.2*time'" in answer.out
    assert "--epochs=2" in answer.out
    assert '--jobs=8 --shard="$SLURM_ARRAY_TASK_ID/36" &' in answer.out
    script = answer.out.encode()
    assert subprocess.run(["bash", "-n"], input=script, check=False).returncode == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--array", "0"], "--array must be at least 1"),
        (["--array", "many"], "--array must be a whole number"),
        (["--time", "soon"], "--time must be a time in SLURM's form"),
        (["--time", "00:00"], "--time must be a time in SLURM's form"),
        (["--mem", "much"], "--mem must be memory"),
        (["--partition", "a b"], "--partition must be the name"),
        (["--sbatch", "account=x"], "--sbatch must be an option of sbatch as one word"),
        (["--sbatch", "--account x"], "--sbatch must be an option of sbatch as one word"),
        (["--sbatch", "-A"], "--sbatch must be an option of sbatch as one word"),
        (["--sbatch", "--comment=a\ntouch x"], "--sbatch must be one line without control characters"),
        (["--sbatch", "--array=0-5"], "--sbatch must leave --array alone, which --array sets"),
        (["--sbatch", "--outp=x"], "--sbatch must leave --output alone, which the script sets"),
        (["--columns", "a,b\n#SBATCH --uid=0"], "cannot stand in a batch script"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--fresh"], "--fresh does not go with an array"),
        (["--jobs", "2"], "--jobs does not go with an array"),
        (["--data_path", "nowhere.csv"], "nowhere.csv"),
        (["--folds", "1000"], "--folds 1000"),
    ],
)
def test_wrong_options_are_told_before_anything_is_submitted(wrong, told, call, table_csv, tmp_path) -> None:
    right = {"--array": "2", "--time": "5", "--data_path": table_csv, "--output_dir": tmp_path / "out"}
    right.pop(wrong[0], None)
    answer = call("slurm", *(word for pair in right.items() for word in pair), *wrong)
    assert answer.code == 2
    assert told in answer.err
    assert not list(tmp_path.rglob("*.sh"))


def test_other_options_of_sbatch_are_passed_on(call, table_csv, tmp_path) -> None:
    answer = call("slurm", "--array", "2", "--time", "5", "--dry_run", "--output_dir", tmp_path / "out",
                  "--sbatch", "--account=x", "--sbatch=--qos=long", "--sbatch", "--exclusive",
                  "--sbatch", "--constraint=a100|h100; touch no", *options(table_csv, 2))  # fmt: skip
    assert answer.code == 0, answer.err
    for line in ("--account=x", "--qos=long", "--exclusive", "--constraint='a100|h100; touch no'"):
        assert answer.out.count(f"\n#SBATCH {line}\n") == 2
    assert "--sbatch" not in answer.out, "the search knows no such option"


@pytest.mark.parametrize("mark", ["\n", "\r", "\x0b", "\x1b", "\x85", "\u2028"])
@pytest.mark.parametrize("where", ["output folder", "current folder"])
def test_a_line_break_in_the_name_of_a_folder_is_refused(
    call, table_csv, tmp_path, monkeypatch, mark, where
) -> None:
    strange = tmp_path / f"a{mark}touch it-ran #"
    strange.mkdir()
    if where == "current folder":
        monkeypatch.chdir(strange)
    out = strange / "out" if where == "output folder" else tmp_path / "out"
    for more in ((), ("--dry_run",)):
        answer = call(
            "slurm", "--array", "2", "--time", "5", "--output_dir", out, *more, *options(table_csv, 2)
        )
        assert answer.code == 2
        assert "cannot stand in a batch script" in answer.err
        assert mark not in answer.err.rstrip("\n")
    assert not list(tmp_path.rglob("*.sh"))


def test_every_word_of_a_script_is_quoted(call, table_csv, tmp_path, monkeypatch) -> None:
    strange = tmp_path / "$(touch it-ran) `touch it-ran`; touch it-ran & 'x' \"y\" \\ #z"
    strange.mkdir()
    monkeypatch.chdir(strange)
    # Only the folders matter here, and nothing is trained: Python is an echo.
    monkeypatch.setattr("sys.executable", "/bin/echo")
    answer = call("slurm", "--array", "1", "--time", "5", "--dry_run", "--output_dir", strange / "out",
                  *options(table_csv, 2))  # fmt: skip
    assert answer.code == 0, answer.err
    script = tmp_path / "script.sh"
    script.write_text(answer.out)
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_JOB_ID": "1"}
    run = subprocess.run(["bash", script], capture_output=True, text=True, env=environment, check=True)
    assert f"--output_dir={strange / 'out'}" in run.stdout
    assert not list(tmp_path.rglob("it-ran"))


def test_without_slurm_it_says_where_to_run(monkeypatch, call, table_csv, tmp_path) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    answer = call("slurm", "--array", "2", "--time", "5", "--output_dir", tmp_path, *options(table_csv, 2))
    assert answer.code == 2
    assert answer.err == (
        "error: there is no sbatch here; run this on a login node of a SLURM cluster, or --dry_run\n"
    )
