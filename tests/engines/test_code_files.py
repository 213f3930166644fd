"""Files of compiled code are never in the way: they are found, made, or done without."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from autoenc.engines import code_files
from autoenc.engines.code_files import kept_code, private_folder
from autoenc.engines.compiling import take_notes

SOURCES, CODE = hashlib.sha256(b"sources").digest(), b"code"


class Compiler:
    """Makes code, and counts how often."""

    def __init__(self, code: bytes = CODE) -> None:
        self.code, self.n_made = code, 0

    def __call__(self) -> bytes:
        self.n_made += 1
        return self.code


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All places for code lie in one folder: ``named``, ``source``, ``users`` and ``temporary``."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(code_files, "_SOURCE", tmp_path / "source")
    monkeypatch.setattr(code_files, "_users_folder", lambda: tmp_path / "users")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    take_notes()
    return tmp_path


def occupy(*folders: Path) -> None:
    """Put a file where each folder would be, so that nobody can write there."""
    for folder in folders:
        folder.write_bytes(b"")


def kept(places: Path) -> list[str]:
    """The folders that hold code."""
    return [path.relative_to(places).parts[0] for path in places.rglob("pass.bin")]


def test_code_is_made_once_and_then_found(places: Path) -> None:
    compiler = Compiler()
    assert [kept_code("pass.bin", SOURCES, compiler) for _ in range(3)] == [CODE] * 3
    assert compiler.n_made == 1
    assert kept(places) == ["source"]
    assert (places / "source" / "__pycache__" / "pass.bin").exists()
    assert take_notes() == []


def test_code_of_other_sources_or_another_name_is_made_anew(places: Path) -> None:
    compiler = Compiler()
    kept_code("pass.bin", SOURCES, compiler)
    assert kept_code("pass.bin", bytes(32), Compiler(b"other")) == b"other"
    assert kept_code("pass.bin", bytes(32), Compiler(b"unused")) == b"other"
    assert kept_code("second.bin", bytes(32), Compiler(b"second")) == b"second"
    assert take_notes() == []


def test_a_named_folder_comes_first_and_others_are_not_looked_into(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_code("pass.bin", SOURCES, Compiler())
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(places / "named"))
    compiler = Compiler()
    kept_code("pass.bin", SOURCES, compiler)
    assert compiler.n_made == 1
    assert sorted(kept(places)) == ["named", "source"]


def test_the_next_place_takes_the_code_where_one_cannot_be_written(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(places / "named"))
    for unusable, place in (("named", "source"), ("source", "users"), ("users", "temporary")):
        occupy(places / unusable)
        compiler = Compiler()
        assert [kept_code("pass.bin", SOURCES, compiler) for _ in range(2)] == [CODE] * 2
        assert compiler.n_made == 1
        assert kept(places) == [place]
        notes = take_notes()
        if place == "temporary":
            assert len(notes) == 1
            assert notes[0].startswith(f"compiled code is kept in {places / 'temporary'}/autoenc-")
        else:
            assert notes == []
            for folder in (places / place).rglob("pass.bin"):
                folder.unlink()
            for folder in sorted((places / place).rglob("*"), reverse=True):
                folder.rmdir()
            (places / place).rmdir()


def test_code_in_a_folder_that_cannot_be_written_is_used(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_code("pass.bin", SOURCES, Compiler())
    monkeypatch.setattr(code_files, "_can_be_written", lambda folder: False)
    compiler = Compiler()
    assert kept_code("pass.bin", SOURCES, compiler) == CODE
    assert compiler.n_made == 0
    assert take_notes() == []


def test_without_any_folder_code_is_made_each_time_and_a_note_says_so(places: Path) -> None:
    occupy(places / "source", places / "users")
    planted = places / "temporary" / private_folder().name
    planted.chmod(0o777)
    compiler = Compiler()
    assert [kept_code("pass.bin", SOURCES, compiler) for _ in range(2)] == [CODE] * 2
    assert compiler.n_made == 2
    assert take_notes() == [
        "no folder can be written to keep compiled code in; it is compiled anew in each process"
    ]
    assert not list(planted.iterdir())


def test_a_user_without_a_home_has_no_folder_there(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_files, "_users_folder", lambda: Path("~/.cache"))
    monkeypatch.chdir(places)
    occupy(places / "source")
    kept_code("pass.bin", SOURCES, Compiler())
    assert kept(places) == ["temporary"]
    assert not (places / "~").exists()


@pytest.mark.parametrize("how", ["cut", "emptied", "changed", "other sources"])
def test_a_damaged_file_is_named_and_made_anew(places: Path, how: str) -> None:
    kept_code("pass.bin", SOURCES, Compiler())
    file = places / "source" / "__pycache__" / "pass.bin"
    content = file.read_bytes()
    file.write_bytes({
        "cut": content[:-1], "emptied": b"", "changed": content[:-1] + b"x",
        "other sources": content[:32] + bytes(32) + content[64:],
    }[how])  # fmt: skip
    compiler = Compiler()
    assert [kept_code("pass.bin", SOURCES, compiler) for _ in range(2)] == [CODE] * 2
    assert compiler.n_made == 1
    assert take_notes() == [f"{file}: compiled code cannot be read (it is damaged); it is compiled anew"]


def test_what_cannot_be_read_is_made_anew(places: Path) -> None:
    file = places / "source" / "__pycache__" / "pass.bin"
    file.mkdir(parents=True)
    assert kept_code("pass.bin", SOURCES, Compiler()) == CODE
    notes = take_notes()
    assert notes[0] == f"{file}: compiled code cannot be read (Is a directory); it is compiled anew"
    assert notes[1].startswith(f"{file}: compiled code cannot be kept (")


def test_what_cannot_be_kept_is_used_and_a_note_says_so(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(code_files, "write_atomically", full)
    assert kept_code("pass.bin", SOURCES, Compiler()) == CODE
    (note,) = take_notes()
    assert note.endswith(
        "compiled code cannot be kept (No space left on device); it is compiled anew in each process"
    )


def test_those_who_compile_at_once_leave_a_whole_file(places: Path) -> None:
    together, code = threading.Barrier(8), bytes(100_000)

    def make() -> bytes:
        together.wait()
        return code

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: kept_code("pass.bin", SOURCES, make), range(8)))
    assert made == [code] * 8
    compiler = Compiler()
    assert kept_code("pass.bin", SOURCES, compiler) == code
    assert compiler.n_made == 0
    assert take_notes() == []
    assert [file.name for file in (places / "source" / "__pycache__").iterdir()] == ["pass.bin"]


def test_a_folder_of_somebody_else_is_no_place_for_compiled_code(places: Path) -> None:
    folder = private_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert private_folder() == folder
    folder.chmod(0o777)
    with pytest.raises(PermissionError):
        private_folder()
    folder.chmod(0o700)
    folder.rename(places / "elsewhere")
    folder.symlink_to(places / "elsewhere")
    with pytest.raises(PermissionError):
        private_folder()
