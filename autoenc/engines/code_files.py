"""Files of compiled code, which are never in the way: they are found, made, or done without.

They are kept in a folder that ``NUMBA_CACHE_DIR`` names, beside the source, or in the user's folder for such
files. A folder of the user's own below the temporary one is the next place; without any, or where saving
fails, the code is compiled anew in each process, and a note says so.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from autoenc.engines.compiling import note
from autoenc.system.paths import write_atomically

__all__ = ["check_private", "kept_code", "private_folder"]

_DIGEST_BYTES = hashlib.sha256().digest_size
_SOURCE = Path(__file__).parent


def kept_code(name: str, sources: bytes, make: Callable[[], bytes]) -> bytes:
    """Return code that an earlier process kept, or make and keep it.

    Args:
        name: Of the file, which says what the code is for.
        sources: Digest of what the code is made of; a file with another one is replaced.
        make: Compiles the code.
    """
    for folder, is_last in _folders():
        code = _read(folder / name, sources)
        if code is None and not _can_be_written(folder):
            continue
        if is_last:
            note(f"compiled code is kept in {folder}, as no other folder can be written")
        if code is None:
            code = make()
            _write(folder / name, sources, code)
        return code
    note("no folder can be written to keep compiled code in; it is compiled anew in each process")
    return make()


def _folders() -> Iterator[tuple[Path, bool]]:
    """Yield where code may be kept, best places first, and whether it is the last one."""
    # Several installations may share a folder, and would else replace each other's files.
    own = f"engines_{hashlib.sha256(bytes(_SOURCE)).hexdigest()[:16]}"
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        yield Path(named) / own, False
    yield _SOURCE / "__pycache__", False
    users = _users_folder()
    if users.is_absolute():  # without a home it is not
        yield users / "autoenc" / own, False
    try:
        yield private_folder() / own, True
    except OSError:  # no temporary folder, or somebody else's in its place
        return


def _users_folder() -> Path:
    """Return where the system wants a user's programs to keep what they can make again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", ""))
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches"))
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))


def private_folder() -> Path:
    """Return the user's own folder for compiled code below the temporary one, made if it is not there.

    Raises:
        OSError: If it cannot be made, or what is there is no folder of this user alone.
    """
    owner = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"autoenc-{owner}"
    folder.mkdir(mode=0o700, exist_ok=True)
    check_private(folder)
    return folder


def check_private(folder: Path) -> None:
    """See that a folder is no link, belongs to this user, and can be written by nobody else: its code is run.

    Raises:
        OSError: If that is not so.
    """
    about = folder.lstat()
    wrong = not stat.S_ISDIR(about.st_mode)
    if hasattr(os, "getuid"):  # on Windows the temporary folder itself is the user's own
        wrong |= about.st_uid != os.getuid() or bool(about.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
    if wrong:
        raise PermissionError(f"{folder} does not belong to this user alone")


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _read(path: Path, sources: bytes) -> bytes | None:
    """Return the code in a file; None if there is none that was made of these sources."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        note(f"{path}: compiled code cannot be read ({error.strerror}); it is compiled anew")
        return None
    digest, made_of = content[:_DIGEST_BYTES], content[_DIGEST_BYTES : 2 * _DIGEST_BYTES]
    if hashlib.sha256(content[_DIGEST_BYTES:]).digest() != digest:
        note(f"{path}: compiled code cannot be read (it is damaged); it is compiled anew")
        return None
    return content[2 * _DIGEST_BYTES :] if made_of == sources else None


def _write(path: Path, sources: bytes, code: bytes) -> None:
    content = sources + code
    try:
        write_atomically(path, hashlib.sha256(content).digest() + content)
    except OSError as error:  # no space, no descriptor
        note(f"{path}: compiled code cannot be kept ({error.strerror}); it is compiled anew in each process")
