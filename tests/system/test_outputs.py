"""Output files that a user names: devices, pipes, links and standard output."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from autoenc import InputError
from autoenc.system.outputs import refuse_inputs, summary_stream, write_output
from autoenc.system.paths import write_atomically

CONTENT = b"latent_1\n0.5\n"


def write(output: object, content: bytes = CONTENT) -> None:
    write_output("--output", str(output), lambda file: file.write(content))


def test_a_device_is_written_to_and_stays_a_device(tmp_path):
    """With a node of our own: were it replaced, this machine would lose its own."""
    node = tmp_path / "null"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root can make a device")
    write(node)
    write_atomically(node, lambda file: file.write(CONTENT))
    assert stat.S_ISCHR(node.stat().st_mode)
    assert os.listdir(tmp_path) == ["null"]


@pytest.mark.parametrize("through_link", [False, True])
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path, through_link):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write(link if through_link else pipe)
    reader.join()
    assert found == [CONTENT]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_the_file_behind_a_link_is_written_whole(tmp_path):
    behind = tmp_path / "elsewhere" / "file"
    behind.parent.mkdir()
    behind.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("elsewhere/file")

    def half(file):
        file.write(b"ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_output("--output", str(link), half)
    assert behind.read_bytes() == b"old"
    write(link)
    assert link.is_symlink()
    assert behind.read_bytes() == CONTENT
    assert os.listdir(behind.parent) == ["file"]


def test_a_link_to_nothing_makes_the_file_that_it_names(tmp_path):
    (tmp_path / "link").symlink_to("new")
    write(tmp_path / "link")
    assert (tmp_path / "new").read_bytes() == CONTENT


def test_the_programs_own_files_are_never_written_through_links(tmp_path):
    behind, link = tmp_path / "behind", tmp_path / "link"
    behind.write_bytes(b"kept")
    link.symlink_to(behind)
    write_atomically(link, lambda file: file.write(b"own"))
    assert behind.read_bytes() == b"kept"
    assert not link.is_symlink()
    assert link.read_bytes() == b"own"


PROGRAM = (
    "import sys; from autoenc.system.outputs import *; "
    "print('before'); write_output('--to', sys.argv[1], lambda file: file.write(b'content\\n')); "
    "print('summary', file=summary_stream(sys.argv[1]))"
)


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_appended_to_and_the_summary_goes_elsewhere(tmp_path, root, name):
    file = tmp_path / "file"
    file.write_text("earlier\n")
    with file.open("ab") as stream:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, name], stdout=stream, stderr=subprocess.PIPE, cwd=root, check=True
        )
    assert file.read_text() == "earlier\nbefore\ncontent\n"
    assert done.stderr == b"summary\n"
    assert not (root / "-").exists()


def test_another_open_descriptor_is_written_to(tmp_path, root):
    with (tmp_path / "file").open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, f"/dev/fd/{file.fileno()}"],
            pass_fds=[file.fileno()], stdout=subprocess.PIPE, cwd=root, check=True,
        )  # fmt: skip
    assert (tmp_path / "file").read_bytes() == b"content\n"
    assert done.stdout == b"before\nsummary\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none/file", "No such file or directory"),
        ("file/below", "Not a directory"),
        (".", "Is a directory"),
        ("/dev/fd/987", "Bad file descriptor"),
        ("n" * 300, "File name too long"),
    ],
)
def test_a_name_that_will_not_do_is_wrong_input(tmp_path, monkeypatch, name, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(InputError, match=f"^--output {name}: cannot be written: {reason}$"):
        write(name)
    assert os.listdir(tmp_path) == ["file"]


def test_an_empty_name_is_wrong_input():
    with pytest.raises(InputError, match="--output must not be empty"):
        write("")


def test_a_full_disk_is_no_wrong_input_and_names_the_file():
    with pytest.raises(OSError, match="No space left on device") as caught:
        write("/dev/full")
    assert not isinstance(caught.value, InputError)
    assert caught.value.filename == "/dev/full"


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_output_is_none_of_its_inputs(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a\n1\n")
    (tmp_path / "link").symlink_to(table)
    for output in (table, tmp_path / "link", tmp_path / "." / "table.csv"):
        with pytest.raises(InputError, match="is --data_path itself, which would be overwritten"):
            refuse_inputs("--output", str(output), {"--data_path": str(table)})
    refuse_inputs("--output", "-", {"--data_path": "-"})
    refuse_inputs("--output", "/dev/null", {"--data_path": "/dev/null"})


def test_the_summary_of_a_file_goes_to_standard_output():
    assert summary_stream("file.csv") is sys.stdout
    assert summary_stream("/dev/null") is sys.stdout
    assert summary_stream("-") is sys.stderr


def test_an_earlier_file_is_kept_and_there_is_always_one_under_its_name(tmp_path):
    path = tmp_path / "model.pth"

    def check_while_writing(content: bytes):
        def write(file):
            assert not path.exists() or path.read_bytes() in (b"1", b"2")
            file.write(content)

        return write

    assert write_atomically(path, check_while_writing(b"1"), keep_earlier=True) is None
    kept = [write_atomically(path, check_while_writing(b), keep_earlier=True) for b in (b"2", b"3")]
    assert path.read_bytes() == b"3"
    assert [Path(k).read_bytes() for k in kept] == [b"1", b"2"]

    def full(file):
        file.write(b"4")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, full, keep_earlier=True)
    assert path.read_bytes() == b"3"
    assert len(os.listdir(tmp_path)) == 3


def test_a_file_system_without_hard_links_keeps_it_too(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "model.pth"
    path.write_bytes(b"1")
    kept = write_atomically(path, lambda file: file.write(b"2"), keep_earlier=True)
    assert (path.read_bytes(), kept.read_bytes()) == (b"2", b"1")
