"""Killed, stopped, crowded, out of disk: in the results none of it is to be seen."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import results_but_time, start

pytestmark = pytest.mark.slow

GRID = ["--hidden_dims_search", "8,16,32", "--max_layers", "3", "--epochs", "30"]
N_STACKS = 19
SEARCHES, KILLS_EACH = 6, 5


def search(folder: Path, *more: str, root: Path) -> list[str]:
    data = str(root / "data" / "stains.csv")
    return ["search", "--data_path", data, "--output_dir", str(folder), *GRID, *more]


def run(arguments: list[str], log: Path) -> int | None:
    process = start(arguments, log)
    process.join()
    return process.exitcode


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def n_recorded(folder: Path) -> int:
    journal = folder / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
    return sum(b'"architecture"' in line and line.endswith(b"\n") for line in lines)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, root) -> tuple[Path, float]:
    """A search that nothing stopped, and how long the process took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(search(folder, root=root), folder / "log") == 0  # compiles, if that is still to be done
    started = time.monotonic()
    again = tmp_path_factory.mktemp("again")
    assert run(search(again, root=root), again / "log") == 0
    return folder, time.monotonic() - started


@pytest.mark.parametrize("i", range(SEARCHES))
def test_killed_at_random_moments_the_search_comes_to_the_same(i, undisturbed, tmp_path, root) -> None:
    """Each search is killed again and again, the last times perhaps while it writes its reports."""
    reference, duration_s = undisturbed
    rng = random.Random(i)
    interrupted = 0
    for n_kills in range(KILLS_EACH):
        process = start(search(tmp_path, "--jobs", str(1 + n_kills % 3), root=root), tmp_path / "log")
        # A random moment of what is left, told by its progress: a busy machine has no steady pace.
        done = n_recorded(tmp_path)
        n_wanted = done + (rng.randrange(N_STACKS - done) // (KILLS_EACH - n_kills) if done < N_STACKS else 0)
        wait_for(lambda: n_recorded(tmp_path) >= n_wanted or not process.is_alive())  # noqa: B023
        time.sleep(rng.uniform(0.02, 1) * duration_s / (N_STACKS if n_wanted > done else 2))
        process.kill()
        process.join()
        interrupted += process.exitcode == -signal.SIGKILL
        assert n_recorded(tmp_path) >= done
    assert run(search(tmp_path, "--jobs", str(1 + i % 2), root=root), tmp_path / "log") == 0
    assert results_but_time(tmp_path) == results_but_time(reference)
    assert n_recorded(tmp_path) == N_STACKS, "something was trained twice"
    assert not list(tmp_path.glob(".*.tmp"))
    assert interrupted > KILLS_EACH / 2


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_stops_in_order(name: str, tmp_path, root, undisturbed) -> None:
    long = ["--epochs", "3000", "--jobs", "2"]
    durations_s = []
    for attempt in range(3):  # the machine may be busy with something else; the promise is about ours
        folder = tmp_path / str(attempt)
        folder.mkdir()
        process = start(search(folder, *long, root=root), folder / "log")
        wait_for(lambda: n_recorded(folder) >= 1)  # noqa: B023
        started = time.monotonic()
        os.kill(process.pid, getattr(signal, name))
        process.join()
        durations_s.append(time.monotonic() - started)
        assert process.exitcode == 128 + getattr(signal, name)
        told = (folder / "log").read_text()
        assert f"stopped by {name}: {n_recorded(folder)} of {N_STACKS} stacks are recorded" in told
        assert "resume with: " in told
        document = json.loads((folder / "hyperparam_results_latent3.json").read_text())
        assert len(document["all_results"]) == n_recorded(folder)
        assert json.loads((folder / "search_state.json").read_text())["state"] == f"stopped by {name}"
        (described,) = (folder / "runs").glob("*.json")
        assert json.loads(described.read_text())["state"] == f"stopped by {name}"
        if durations_s[-1] < 2:
            break
    assert min(durations_s) < 2


def test_two_processes_in_one_folder(tmp_path, root, undisturbed) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    first = start(search(folder, "--epochs", "3000", root=root), tmp_path / "first")
    wait_for(lambda: n_recorded(folder) >= 1)
    assert run(search(folder, root=root), tmp_path / "second") == 2
    told = (tmp_path / "second").read_text()
    assert f"process {first.pid} on" in told
    assert "--shard" in told
    assert "--output_dir" in told
    assert run(["analyze", str(folder)], tmp_path / "third") == 0
    assert "a search is running here" in (tmp_path / "third").read_text()
    os.kill(first.pid, signal.SIGTERM)
    first.join()
    assert first.exitcode == 128 + signal.SIGTERM
    # Nobody holds it any more: the other recipe is another search in the same record.
    assert run(search(folder, root=root), tmp_path / "fourth") == 0
    assert results_but_time(folder) == results_but_time(undisturbed[0])


def test_a_half_written_output_of_a_dead_process_is_no_obstacle(tmp_path, root, undisturbed) -> None:
    (tmp_path / ".hyperparam_results_latent3.json.abc.tmp").write_text('{"half')
    (tmp_path / ".study.journal.holder").write_text('{"pi')
    (tmp_path / ".study.journal.owner").touch()
    assert run(search(tmp_path, root=root), tmp_path / "log") == 0
    assert results_but_time(tmp_path) == results_but_time(undisturbed[0])


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_earlier_files_whole(small_disk: Path, tmp_path, root, undisturbed) -> None:
    narrow = ["--hidden_dims_search", "8", "--max_layers", "1"]
    assert run(search(small_disk, *narrow, root=root), tmp_path / "log") == 0
    before = {path: path.read_bytes() for path in files_in(small_disk) if path.name != "study.journal"}
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    (small_disk / "ballast").write_bytes(b"0" * (free - 8192))
    assert run(search(small_disk, root=root), tmp_path / "log") == 1
    told = (tmp_path / "log").read_text()
    assert "No space left on device" in told
    assert "resume with: " in told
    assert "Traceback" not in told
    for path, content in before.items():
        assert path.read_bytes() == content, path
    done = n_recorded(small_disk)
    (small_disk / "ballast").unlink()
    assert run(search(small_disk, root=root), tmp_path / "log") == 0
    assert f"{done} of {N_STACKS} already trained" in (tmp_path / "log").read_text()
    assert results_but_time(small_disk) == results_but_time(undisturbed[0])


def test_a_read_only_folder_is_told_before_anything_is_trained(small_disk: Path, tmp_path, root) -> None:
    narrow = ["--hidden_dims_search", "8", "--max_layers", "1"]
    assert run(search(small_disk, *narrow, root=root), tmp_path / "log") == 0
    before = {path: path.read_bytes() for path in files_in(small_disk)}
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert run(search(small_disk, root=root), tmp_path / "log") == 2
    assert "cannot be written: Read-only file system" in (tmp_path / "log").read_text()
    assert {path: path.read_bytes() for path in files_in(small_disk)} == before
