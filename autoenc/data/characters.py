"""The characters of text tables, brought to UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import IO

from autoenc.data.streams import chunks_of, stream_of
from autoenc.errors import InputError

__all__ = ["in_utf8"]

_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""What text of an encoding begins with."""


def in_utf8(
    name: str, start: bytes, file: IO[bytes], encoding: str | None
) -> tuple[bytes, IO[bytes], list[str]]:
    """Return a text table in UTF-8, as its first bytes and a file with the rest, and what was recognized.

    Args:
        name: Of the table, for messages.
        start: Its first bytes.
        file: The rest.
        encoding: Of its characters; None where its first bytes say that it is UTF-16 or UTF-32, and for
            UTF-8.

    Raises:
        InputError: On reading, if a byte has no meaning in the encoding.
    """
    actual = None if encoding else _found(start)
    if (encoding or actual or "utf-8") == "utf-8":
        return start, file, []
    text = stream_of(_decoded(name, chunks_of(start, file), encoding or actual or ""))
    notes = [f"it is {actual.upper()} text; --encoding says otherwise"] if actual else []
    return text.read(len(start)), text, notes


def _found(start: bytes) -> str | None:
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    even, odd = start[:200:2], start[1:200:2]
    if len(start) > 3:
        for zeros, letters, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
            if not any(zeros) and all(letters):
                return encoding
    return None


def _decoded(name: str, chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    n_bytes, is_first = 0, True
    for chunk, is_last in _with_end(chunks):
        try:
            text = decoder.decode(chunk, final=is_last)
        except UnicodeDecodeError as error:
            where = f"near byte {max(n_bytes + error.start, 0):,}"
            raise InputError(
                f"{name}: is not {encoding} text ({where}: {error.reason}); --encoding names its encoding"
            ) from None
        n_bytes += len(chunk)
        if is_first and text:
            text, is_first = text.removeprefix("\ufeff"), False
        yield text.encode()


def _with_end(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    for chunk in chunks:
        yield chunk, False
    yield b"", True
