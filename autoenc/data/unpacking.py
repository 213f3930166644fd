"""Compressed tables, unpacked while they are read: gzip, bzip2, xz, zstd, and archives of one file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from autoenc.data.sources import open_table, source_name
from autoenc.data.streams import chunks_of, stream_of
from autoenc.errors import InputError, listed, needing

__all__ = ["ZIP_MAGIC", "members_of", "open_unpacked", "seekable"]

ZIP_MAGIC, _EMPTY_ZIP_MAGIC = b"PK\x03\x04", b"PK\x05\x06"
_START_BYTES = 8192
_IN_MEMORY_BYTES = 64 * 2**20
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile, RuntimeError)


@contextmanager
def open_unpacked(path: str | Path) -> Iterator[tuple[bytes, IO[bytes]]]:
    """Open a table as :func:`.open_table` does, and unpack it where it is compressed.

    What is no archive of a single file, such as a workbook, stays as it is.

    Args:
        path: Of the table.

    Yields:
        The first bytes, and a file with the rest.

    Raises:
        InputError: If it is an archive of several files, or needs a package that is not there. Reading
            the rest raises it, too, where the file is damaged.
    """
    with open_table(path) as (start, file), ExitStack() as stack:
        yield _unpacked(stack, source_name(path), start, file)


def _unpacked(stack: ExitStack, name: str, start: bytes, file: IO[bytes]) -> tuple[bytes, IO[bytes]]:
    if start.startswith((ZIP_MAGIC, _EMPTY_ZIP_MAGIC)):
        return _from_zip(stack, name, start, file)
    for magic, (kind, opened) in _KINDS.items():
        if start.startswith(magic):
            plain = stack.enter_context(opened(name, stream_of(chunks_of(start, file))))
            return _begun(stream_of(_told(name, kind, plain)))
    return start, file


def seekable(start: bytes, file: IO[bytes]) -> IO[bytes]:
    """Return all of a file where any part can be read: in memory, or in a temporary file if it is large."""
    whole: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115
    whole.write(start)
    shutil.copyfileobj(file, whole, 2**20)
    whole.seek(0)
    return whole


def members_of(name: str, whole: IO[bytes]) -> list[str]:
    """Return the names of the files in an archive, without folders and what systems add.

    Raises:
        InputError: If it is damaged.
    """
    try:
        with zipfile.ZipFile(whole) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise InputError(f"{name}: is a damaged zip archive: {error}") from None
    return [member for member in names if not member.startswith("__MACOSX/")]


def _from_zip(stack: ExitStack, name: str, start: bytes, file: IO[bytes]) -> tuple[bytes, IO[bytes]]:
    whole = stack.enter_context(seekable(start, file))
    members = members_of(name, whole)
    whole.seek(0)
    if "mimetype" in members or "[Content_Types].xml" in members or _are_arrays(members):
        return _begun(whole)
    if len(members) != 1:
        of = f"{len(members)} files, {listed(members)}" if members else "no file"
        raise InputError(f"{name}: is a zip archive of {of}; one table was expected")
    archive = stack.enter_context(zipfile.ZipFile(whole))
    try:
        member: IO[bytes] = stack.enter_context(archive.open(members[0]))
    except (RuntimeError, NotImplementedError) as error:  # a password, or a rare method
        raise InputError(f"{name}: {members[0]} in it cannot be read: {error}") from None
    return _begun(stream_of(_told(name, "zip", member)))


def _are_arrays(members: list[str]) -> bool:
    return bool(members) and all(member.endswith(".npy") for member in members)


def _begun(file: IO[bytes]) -> tuple[bytes, IO[bytes]]:
    return file.read(_START_BYTES), file


def _told(name: str, kind: str, file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of an unpacked file; errors in it name the table."""
    chunks = chunks_of(b"", file)
    while True:
        try:
            chunk = next(chunks, None)
        except (*_DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the machine, not of the file
                raise
            raise InputError(f"{name}: is compressed with {kind}, and damaged: {error}") from None
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise InputError(f"{name}: is compressed with {kind}, and damaged: {error}") from None
        if chunk is None:
            return
        yield chunk


def _zstd(name: str, packed: IO[bytes]) -> Any:
    with needing(f"{name}: reading zstd needs zstandard", "zstd"):
        import zstandard
    return zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)


_KINDS: dict[bytes, tuple[str, Callable[[str, IO[bytes]], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda _, packed: gzip.GzipFile(fileobj=packed)),
    b"BZh": ("bzip2", lambda _, packed: bz2.BZ2File(packed)),
    b"\xfd7zXZ\0": ("xz", lambda _, packed: lzma.LZMAFile(packed)),  # noqa: SIM115
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
}
"""By the first bytes: what it is called, and how it is opened."""
