"""Where people run it: closed streams, any locale, any name of a file, any backend, any thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from autoenc.cli import main
from autoenc.config import resolve
from autoenc.errors import InputError
from autoenc.searching.signals import StopOnSignals
from autoenc.settings import SearchSettings
from autoenc.settings.shards import shard_from_environment, shard_option
from autoenc.system.paths import utf8

SMALL = ["--hidden_dims_search", "4", "--max_layers", "1", "--epochs", "1", "--jobs", "1"]


def command(root: Path, words: list[str | bytes], redirect: str = "", **environment: str) -> tuple[int, str]:
    """Run the program in a shell that redirects its streams."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-m", "autoenc", *words],
        cwd=root, env={**os.environ, **environment}, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "backslashreplace")


@pytest.fixture
def odd_place(tmp_path: Path, root: Path) -> bytes:
    """A folder whose name is no UTF-8, with a table of such a name."""
    place = os.fsencode(tmp_path) + b"/\xff\xe9"
    os.mkdir(place)
    lines = (root / "data" / "stains.csv").read_bytes().splitlines(keepends=True)[:120]
    with open(place + b"/\xfft.csv", "wb") as file:
        file.writelines(lines)
    return place


def test_a_search_runs_with_all_streams_closed_and_a_backend_that_is_not_there(
    tmp_path: Path, root: Path
) -> None:
    words: list[str | bytes] = ["search", *SMALL, "--output_dir", str(tmp_path)]
    assert command(root, words, "<&- >&- 2>&-", MPLBACKEND="module://nowhere") == (0, "")
    assert (tmp_path / "search_progress.png").exists()
    # No file of the search stood in the place of a closed stream.
    assert (tmp_path / "study.journal").read_bytes().startswith(b'{"op_code":')


def test_names_that_are_no_text_and_a_locale_without_letters_are_no_obstacle(
    odd_place: bytes, root: Path
) -> None:
    words = ["search", *SMALL, "--data_path", odd_place + b"/\xfft.csv", "--output_dir", odd_place + b"/out"]
    code, told = command(root, words, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert code == 0, told
    assert "\\udcff" in told
    for name in (b"hyperparam_results_latent3.json", b"hyperparam_results_latent3.csv"):
        with open(odd_place + b"/out/" + name, "rb") as file:
            file.read().decode("utf-8")
    code, told = command(root, ["runs", odd_place + b"/out"])
    assert code == 0, told


def test_what_is_no_character_is_written_so_that_json_reads_it_back() -> None:
    assert utf8("é \udcff") == "é ".encode() + b"\\udcff"


def test_signals_stay_with_the_main_thread() -> None:
    entered: list[int | None] = []

    def run() -> None:
        with StopOnSignals() as signals:
            entered.append(signals.number)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert entered == [None]


def task(**variables: str) -> dict[str, str]:
    """The environment of a SLURM array task."""
    return {f"SLURM_ARRAY_TASK_{name}": value for name, value in variables.items()}


@pytest.mark.parametrize(
    "environment",
    [
        task(ID="abc", COUNT="4"), task(ID="1", COUNT="-4"), task(ID="1", COUNT="4", STEP="x"),
        task(ID="1", COUNT="4", MIN="1.5"), task(ID="9", COUNT="4"), task(ID="3", COUNT="4", STEP="2"),
        task(ID="abc"), task(ID="3"), task(COUNT="many"), task(MIN="x"),
    ],
)  # fmt: skip
def test_variables_that_say_no_shard_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(InputError, match="--shard i/N"):
        shard_from_environment(environment)


def test_a_shard_from_the_environment_is_checked_like_one_that_was_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in task(ID="3", COUNT="10").items():
        monkeypatch.setenv(name, value)
    assert shard_option() == {"shard": "3/10"}
    assert main(["search", "--strategy", "halving", "--output_dir", str(tmp_path / "out")]) == 2
    assert "--shard; --shard 3/10 comes from the environment" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    given = resolve(SearchSettings, [], {"shard": "1/2"}, shard_option())
    assert given.settings is not None
    assert (given.settings.shard, given.origins["shard"]) == ("1/2", "command line")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "abc")
    assert main(["search", "--output_dir", str(tmp_path / "out")]) == 2
    assert "SLURM_ARRAY_TASK_ID must be a whole number, got 'abc'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_time_of_compiling_is_no_time_of_training(tmp_path: Path, root: Path) -> None:
    words: list[str | bytes] = [
        "search", "--hidden_dims_search", "8,16", "--max_layers", "2", "--epochs", "3", "--output_dir",
        str(tmp_path / "out"),
    ]  # fmt: skip
    written_at = []
    for _ in range(2):
        code, told = command(root, [*words, "--fresh"], NUMBA_CACHE_DIR=str(tmp_path / "cache"))
        assert code == 0, told
        (compiled,) = (tmp_path / "cache").rglob("*.bin")
        written_at.append(compiled.stat().st_mtime_ns)
        results = json.loads((tmp_path / "out" / "hyperparam_results_latent3.json").read_text())
        seconds = [stack["seconds"] for stack in results["all_results"]]
        assert len(seconds) == 5
        assert max(seconds) < 1  # of some hundredths each, however busy the machine is
    assert written_at[0] == written_at[1]  # by the first one alone


def test_a_database_whose_name_is_no_text_is_refused_in_words(odd_place: bytes, root: Path) -> None:
    words = ["transfer", "--regression_target", "Lec", "--data_path", odd_place + b"/\xfft.csv"]
    code, told = command(root, [*words, "--output_dir", odd_place + b"/out"])
    assert code == 2, told
    assert "is no UTF-8, which a database's name must be" in told


def test_a_process_without_memory_ends_at_once(tmp_path) -> None:
    """What libraries do at the exit of an interpreter may never end where threads cannot be joined."""
    code = """
import atexit, errno, sys, time
import autoenc.cli, autoenc.__main__
from autoenc.system.trouble import trouble
def short(*_):
    assert trouble(OSError(errno.ENOMEM, "Cannot allocate memory"))
    return 1
autoenc.cli.main = short
atexit.register(time.sleep, 600)
autoenc.__main__.run()
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=100)
    assert done.returncode == 1


@pytest.mark.parametrize(("wish", "plugins"), [({}, 0), ({"PYDANTIC_DISABLE_PLUGINS": "other"}, 1)])
def test_the_program_looks_for_no_plugins_unless_it_is_told_to(
    wish, plugins, tmp_path: Path, root: Path
) -> None:
    info = tmp_path / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pydantic]\nplugged = plugged:plugin\n")
    (tmp_path / "plugged.py").write_text(
        "print('looked for')\nclass Plugin:\n    def new_schema_validator(self, *args):\n"
        "        return None, None, None\nplugin = Plugin()\n"
    )
    words: list[str | bytes] = ["runs", str(tmp_path)]
    _, told = command(root, words, PYTHONPATH=str(tmp_path), **wish)
    assert told.count("looked for") == plugins


@pytest.mark.parametrize(("wish", "n_threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_the_program_starts_no_threads_that_look_for_work_unless_it_is_told_to(wish, n_threads) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    code = (
        "from autoenc.system.startup import prepare_process; prepare_process(); import numpy, threadpoolctl;"
        "print(*(library['num_threads'] for library in threadpoolctl.threadpool_info()))"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env={**environment, **wish}, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {n_threads}  # none where NumPy has a BLAS of another kind
