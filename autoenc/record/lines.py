"""The lines of a journal: how each is written with a digest of its own, and checked when it is read.

The digest of a line is that of its bytes, which costs next to nothing to check. Lines of earlier versions
have one of what they say.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NamedTuple

from autoenc.record.digest import digest_of

__all__ = ["AT", "FIRST", "Place", "Whole", "is_intact", "read_line", "whole_trial", "written_line"]

AT = "at"
"""The key under which a line has its number, and how many trials each study had before it."""
_SUM = "sum"
FIRST = b'{"op_code":'
"""How every line begins."""
_END = re.compile(rb',"sum":"=([0-9a-f]{16})"\}\Z')
_WHOLE = re.compile(
    rb'\{"op_code":4,"worker_id":"([^"\\]*)","study_id":(\d+),"datetime_start":(?:null|"[^"\\]*"),"state":[123],'
)
_COUNTS = b'"at":['
_WHOLE_END = re.compile(rb'"at":\[(\d+(?:,\d+)*)\],"sum":"=([0-9a-f]{16})"\}\Z')
_IDENTITY = re.compile(rb'"user_attrs":\{"identity":"([0-9a-f]{32})"')


class Place(NamedTuple):
    """Where a line with a whole trial stands in its file.

    Attributes:
        offset, length: In bytes.
        line: Its number in the file, from 1.
        identity: The fit that it holds is known by this; None where it holds none.
    """

    offset: int
    length: int
    line: int
    identity: str | None


class Whole(NamedTuple):
    """A line that holds a trial that ended, of which no more was read.

    Attributes:
        worker_id: Who wrote it.
        study_id: Of the trial's study.
        at: Its number, and how many trials each study had before it.
        identity: See :class:`Place`.
    """

    worker_id: str
    study_id: int
    at: list[int]
    identity: str | None


def written_line(log: dict[str, Any]) -> bytes:
    """Return an entry as its line, with its digest."""
    text = json.dumps(log, separators=(",", ":")).encode()[:-1]
    return b'%s,"sum":"=%s"}\n' % (text, _sum_of(text).encode())


def _sum_of(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]


def is_intact(text: bytes) -> bool:
    """Return whether a line has a digest of its bytes, and it holds."""
    end = _END.search(text, max(0, len(text) - 32))
    return end is not None and _sum_of(text[: end.start()]).encode() == end[1]


def read_line(text: bytes) -> dict[str, Any] | None:
    """Return what a line says; None if it cannot be read, or its digest does not hold."""
    try:
        log = json.loads(text)
        if not isinstance(log, dict) or not isinstance(log.get("worker_id", ""), str):
            return None
        if not _holds(text, log):
            return None
    except (ValueError, RecursionError):
        return None
    return log


def _holds(text: bytes, log: dict[str, Any]) -> bool:
    if AT not in log and _SUM not in log:
        return True  # of Optuna, or of a version without digests
    noted = log.get(_SUM)
    if isinstance(noted, str) and noted.startswith("="):
        return is_intact(text)
    return bool(noted == digest_of({key: value for key, value in log.items() if key != _SUM})[:16])


def whole_trial(text: bytes) -> Whole | None:
    """Return what an intact line that holds a trial that ended says of it; None of any other line."""
    begins, at = (
        _WHOLE.match(text),
        text.rfind(_COUNTS),
    )  # beginning and end tell it, and what is between is long
    ends = None if begins is None or at < begins.end() else _WHOLE_END.match(text, at)
    if begins is None or ends is None or _sum_of(text[: ends.end(1) + 1]).encode() != ends[2]:
        return None
    identity = _IDENTITY.search(text)
    return Whole(
        begins[1].decode(), int(begins[2]), [int(count) for count in ends[1].split(b",")],
        None if identity is None else identity[1].decode(),
    )  # fmt: skip
