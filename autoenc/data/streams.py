"""Bytes that are made while they are read, as files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain
from typing import IO, Any

__all__ = ["chunks_of", "stream_of"]

_CHUNK_BYTES = 2**20


def chunks_of(start: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """Yield what a file holds, ``start`` first, which was read from it before."""
    return chain([start] if start else [], iter(lambda: file.read(_CHUNK_BYTES), b""))


def stream_of(chunks: Iterator[bytes]) -> IO[bytes]:
    """Return a file, to be read from the front, whose content is made chunk by chunk."""
    return io.BufferedReader(_Made(chunks), _CHUNK_BYTES)


class _Made(io.RawIOBase):
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        n_bytes = min(len(buffer), len(self._left))
        buffer[:n_bytes] = self._left[:n_bytes]
        self._left = self._left[n_bytes:]
        return n_bytes
