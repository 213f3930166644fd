"""Names of output files, and writing whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from autoenc import InputError
from autoenc.system.paths import OutputPaths, check_folder, make_folder, remove_unfinished, write_atomically


def test_names_of_the_files():
    paths = OutputPaths(Path("results"), 3)
    assert paths.results_json == Path("results/hyperparam_results_latent3.json")
    assert paths.results_csv == Path("results/hyperparam_results_latent3.csv")
    assert paths.curves_png == Path("results/hyperparam_search_latent3.png")
    assert paths.complexity_png == Path("results/config_performance_latent3.png")
    assert paths.latent_png == Path("results/latent_space_2d_best_config.png")
    assert paths.best_model == Path("results/best_model_latent3.pth")
    assert paths.best_ensemble == Path("results/best_ensemble_latent3.pth")


def test_a_check_of_a_folder_makes_nothing(tmp_path):
    check_folder(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []
    folder = tmp_path / "c" / "d"
    assert make_folder(folder) == [folder, folder.parent]
    assert make_folder(folder) == []
    check_folder(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("prepare", [check_folder, make_folder])
def test_a_file_in_the_folders_place_is_refused(tmp_path, prepare):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(InputError, match=r"--output_dir .*file: is a file, not a folder"):
        prepare(tmp_path / "file")
    with pytest.raises(InputError, match=r"--output_dir .*sub: .*(is a file|Not a directory)"):
        prepare(tmp_path / "file" / "sub")
    with pytest.raises(InputError, match="File name too long"):
        prepare(tmp_path / ("x" * 300))
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_where_files_cannot_be_made_is_refused():
    with pytest.raises(InputError, match="--output_dir /proc/self: cannot be written"):
        check_folder(Path("/proc/self"))
    with pytest.raises(InputError, match="--output_dir /proc/self/x/y: cannot be written"):
        check_folder(Path("/proc/self/x/y"))


def test_a_write_replaces_the_old_content(tmp_path):
    path = tmp_path / "f"
    for content in (b"old", b"new"):
        write_atomically(path, lambda file, content=content: file.write(content))
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), ValueError("bug"), KeyboardInterrupt()]
)
def test_a_write_that_fails_leaves_the_old_content_and_no_other_file(tmp_path, error):
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def half(file):
        file.write(b"ne")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, half)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_what_is_swept_away_while_it_is_written_is_written_again(tmp_path, monkeypatch):
    """A search that begins in a folder removes what looks unfinished there, also what is being written."""
    swept, sync = [], os.fsync

    def sweep(descriptor):
        sync(descriptor)
        if len(swept) < 2:
            (path,) = tmp_path.glob(".text.*.tmp")
            swept.append(path.unlink())

    monkeypatch.setattr(os, "fsync", sweep)
    write_atomically(tmp_path / "text", lambda file: file.write(b"whole"))
    assert len(swept) == 2
    assert os.listdir(tmp_path) == ["text"]
    assert (tmp_path / "text").read_bytes() == b"whole"


def test_what_processes_that_are_gone_had_begun_is_removed_and_nothing_else(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    gone = tmp_path / f".text.{process.pid}.abc.tmp"
    others = {f".text.{os.getppid()}.abc.tmp", f".other.{process.pid}.abc.tmp", ".text.notes.tmp"}
    for name in [gone.name, *others]:
        (tmp_path / name).touch()
    write_atomically(tmp_path / "text", lambda file: file.write(b"whole"))
    assert {path.name for path in tmp_path.iterdir()} == {"text", *others}


def test_a_folder_that_is_gone_is_told_at_once(tmp_path):
    path = tmp_path / "gone" / "text"
    with pytest.raises(FileNotFoundError) as raised:
        write_atomically(path, lambda file: file.write(b"whole"))
    assert str(raised.value) == f"[Errno 2] No such file or directory: '{path}'"


def test_a_reader_never_sees_half_of_the_content(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def check_while_writing(file):
        file.write(b"ne")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"w")

    write_atomically(path, check_while_writing)
    assert path.read_bytes() == b"new"


def test_a_written_file_has_ordinary_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "f", lambda file: file.write(b"x"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


def test_only_what_was_begun_of_known_files_is_removed(tmp_path):
    (tmp_path / "figures").mkdir()
    begun = [".study.db.17.tmp", ".study.db.17.tmp-journal", ".all.csv.a1b2.tmp", "figures/.loss.png.x.tmp"]
    others = [
        ".notes.tmpl",
        ".all.csv.tmp.txt",
        ".mine.csv.x.tmp",
        "figures/.draft.tmp.txt",
        "study.db",
        "all.csv",
    ]
    for name in [*begun, *others]:
        (tmp_path / name).write_text("")
    (tmp_path / ".all.csv.folder.tmp").mkdir()
    remove_unfinished(tmp_path, ["study.db", "all.csv", "figures/*.png", "runs/*.json"])
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(others)
