"""Links that somebody planted, folders that go away, and what killed runs leave behind."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from autoenc.record.lock import JournalLock, RecordLock
from autoenc.system.machine import tell_interrupted, what_happened
from autoenc.system.paths import remove_leftovers


@pytest.fixture
def options(table_csv, tmp_path):
    return ["--data_path", table_csv, "--output_dir", tmp_path / "out", "--epochs", 1, "--jobs", 1]


SMALL = ["--hidden_dims_search", 4, "--max_layers", 1]


@pytest.mark.parametrize(
    "name", [".study.journal.holder", ".study.journal.owner", "study.journal", "search_state.json"]
)
def test_no_file_of_the_program_is_written_through_a_link(call, options, tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(victim)
    for command in (["search", *options, *SMALL], ["tune", *options, "--n_trials", 1]):
        answer = call(*command)
        assert answer.code in (0, 2)
        assert victim.read_text() == "precious"
        assert answer.code == 0 or f"{name}: is a symbolic link to {victim}" in answer.err


@pytest.mark.parametrize("name", ["transfer.log", "study.db"])
def test_no_file_of_a_transfer_search_is_written_through_a_link(call, frame, tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    frame.assign(score=range(len(frame))).to_csv(tmp_path / "t.csv", index=False)
    folder = tmp_path / "out" / "t"
    folder.mkdir(parents=True)
    (folder / name).symlink_to(victim)
    answer = call("transfer", "--data_path", tmp_path / "t.csv", "--regression_target", "score",
                  "--classification_target", "", "--output_dir", tmp_path / "out")  # fmt: skip
    assert answer.code == 2
    assert f"{name}: is a symbolic link" in answer.err
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("dangling", [False, True])
def test_no_run_is_written_through_a_link_to_a_folder(call, options, tmp_path, dangling):
    victim = tmp_path / "victim"
    if not dangling:
        victim.mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "runs").symlink_to(victim)
    answer = call("search", *options, "--output_dir", out)
    assert answer.code == 2
    assert f"{out / 'runs'}: is a symbolic link" in answer.err
    assert dangling != victim.exists()
    assert dangling or not any(victim.iterdir())


def test_a_journal_that_went_away_is_not_begun_again(tmp_path):
    path = tmp_path / "out" / "study.journal"
    path.parent.mkdir()
    path.write_text("")
    lock = JournalLock(path)
    lock.acquire()
    lock.release()
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"study\.journal"):
        lock.acquire()
    path.write_text("another")
    with pytest.raises(FileNotFoundError, match=r"study\.journal"):
        lock.acquire()
    shutil.rmtree(path.parent)
    with pytest.raises(FileNotFoundError, match=r"study\.journal"):
        lock.acquire()
    with pytest.raises(FileNotFoundError, match=r"study\.journal"):
        lock.release()


@pytest.mark.parametrize("command", ["search", "tune"])
def test_a_folder_that_goes_away_during_a_run_is_named(call, options, tmp_path, monkeypatch, command):
    import autoenc.record.fits

    def add(*arguments, **options):
        shutil.rmtree(tmp_path / "out")
        return whole(*arguments, **options)

    whole = autoenc.record.fits.FitRecord.add_all
    monkeypatch.setattr(autoenc.record.fits.FitRecord, "add_all", add)
    answer = call(command, *options, *(SMALL if command == "search" else ["--n_trials", 2]))
    assert answer.code == 1
    assert f"error: {tmp_path / 'out'}: was removed, renamed or unmounted while the search ran" in answer.err
    assert "make room" not in answer.err
    assert "is safe" not in answer.err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "out/x.csv"),
            1,
            "out/x.csv: No space left on device",
        ),
        (OSError(errno.EROFS, "Read-only file system", "x"), 1, "mend that, then resume with: again"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, "what read the standard output has closed it"),
    ],
)
def test_what_stops_a_search_is_told_for_what_it_is(capfd, tmp_path, monkeypatch, error, code, told):
    journal = tmp_path / "study.journal"
    journal.write_text("")
    with (tmp_path / "out").open("w") as out:  # which may be given up, as pytest's own may not
        monkeypatch.setattr("sys.stdout", out)
        assert tell_interrupted(error, tmp_path, str(journal), "again") == code
    err = capfd.readouterr().err
    assert told in err
    assert ("make room" in err) == (error.errno == errno.ENOSPC)


def test_a_folder_that_is_gone_is_named(tmp_path):
    path = tmp_path / "a" / "b" / "c.csv"
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
    assert f"{tmp_path / 'a'} was removed, renamed or unmounted" in what_happened(error)


def test_a_full_standard_output_is_named(tmp_path, monkeypatch):
    from autoenc.cli import main

    errors = tmp_path / "err"
    with open("/dev/full", "w") as full, errors.open("w") as stream:
        monkeypatch.setattr("sys.stdout", full)
        monkeypatch.setattr("sys.stderr", stream)
        code = main(["config", "show", "search"])
        monkeypatch.undo()
    assert (code, errors.read_text()) == (1, "error: standard output: No space left on device\n")


@pytest.mark.slow
def test_what_killed_runs_began_is_removed_by_the_next(call, options, tmp_path):
    folder = tmp_path / "out"
    assert call("tune", *options, "--n_trials", 1, "--plot").code == 0
    left = [folder / ".all_trials.csv.abc.tmp", folder / "figures" / ".history.png.abc.tmp",
            folder / "runs" / ".x.json.abc.tmp", folder / ".optimization_report.txt.abc.tmp",
            folder / "..study.journal.holder.abc.tmp"]  # fmt: skip
    others = [folder / ".mine.tmp", folder / ".mine.txt.abc.tmp"]
    for command in (["tune", *options, "--n_trials", 1], ["analyze", folder], ["search", *options, *SMALL]):
        for path in (*left, *others):
            path.write_text("")
        assert call(*command).code == 0
        assert not [path for path in left if path.exists()]
        assert all(path.exists() for path in others)
    remove_leftovers(tmp_path / "none")


def test_a_lock_leaves_no_folder_behind_where_the_input_was_wrong(tmp_path):
    from autoenc.errors import InputError

    journal = tmp_path / "a" / "b" / "study.journal"
    with pytest.raises(InputError), RecordLock(journal):
        raise InputError("wrong after all")
    assert os.listdir(tmp_path) == []
    with pytest.raises(ValueError, match="a fault"), RecordLock(journal):
        raise ValueError("a fault")
    assert journal.parent.exists()
