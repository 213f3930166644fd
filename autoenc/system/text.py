r"""Text as it leaves the program: control characters escaped, passwords masked, a line a message.

Names of columns, files and studies and the texts of errors come from other people's files. A control
character in them would steer the reader's terminal, a line break would look like a message of its own, and
a sign that turns the direction of writing would show another name. They become visible, as in ``\x1b``.
The passwords of URLs are masked here, too, whoever repeats them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from autoenc.system.secrets import masked

__all__ = [
    "EscapingStream", "counted", "escape_output", "escaped", "forget_warnings", "json_text", "say", "warn",
    "warn_once",
]  # fmt: skip

# C0 and DEL, C1, separators of lines and paragraphs, and what overrides or isolates a direction.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
OUTPUT, ERRORS = "standard output", "standard error"
_USUAL = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _visible(match: re.Match[str]) -> str:
    mark = match[0]
    return _USUAL.get(mark) or (f"\\x{ord(mark):02x}" if ord(mark) < 256 else f"\\u{ord(mark):04x}")


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, e.g. ``1 trial`` or ``2,008 trials``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def escaped(text: object, keep: str = "") -> str:
    """Return a text with its control characters visible and passwords masked; doing it again changes nothing.

    Args:
        text: A name or a whole line.
        keep: Control characters that stay.
    """
    return _CONTROL.sub(lambda match: match[0] if match[0] in keep else _visible(match), masked(str(text)))


def json_text(value: object, indent: int | None = None) -> str:
    """Return a value as strict JSON for people: letters as they are, all control characters escaped."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)
    # JSON itself escapes those below a space; others can stand only inside of its strings.
    return _CONTROL.sub(lambda mark: mark[0] if mark[0] == "\n" else f"\\u{ord(mark[0]):04x}", text)


def say(*lines: object, file: IO[str] | None = None, flush: bool = False) -> None:
    """Print lines; a line break inside of one is shown and breaks nothing."""
    print("\n".join(map(escaped, lines)), file=file, flush=flush)


def warn(*lines: object) -> None:
    """Print as :func:`say` on standard error, for warnings, errors and what is no result."""
    print("\n".join(map(escaped, lines)), file=sys.stderr)


_given: set[str] = set()  # warnings that were printed since the last command began


def warn_once(text: str) -> None:
    """Warn once a command: several parts of it may read the same file."""
    if text not in _given:
        _given.add(text)
        warn(text)


def forget_warnings() -> None:
    """Let every warning be printed again: another command begins."""
    _given.clear()


class EscapingStream:
    """A text stream that escapes what is written to it, except line breaks, tabs and a bar's returns.

    Args:
        stream: Where the text goes; it answers everything else.
        name: What an error message begins with.
    """

    def __init__(self, stream: IO[str], name: str = OUTPUT) -> None:
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        """Write the text; returns its length, as a stream does."""
        # A bar begins with a carriage return, and ends with one where it is wiped out. Within a line it would
        # let a name write over what stands before it.
        inner = text.strip("\r")
        begin, end = (text.split(inner, 1)) if inner else (text, "")
        self._named(lambda: self._stream.write(begin + escaped(inner, keep="\n\t") + end))
        return len(text)

    def flush(self) -> None:
        """See ``io.IOBase.flush``."""
        self._named(self._stream.flush)

    def _named(self, do: Callable[[], object]) -> None:
        """Do something that fails, if it does, in the name of the stream.

        Text that cannot be written to standard error is dropped, and ends nothing.
        """
        try:
            do()
        except OSError as error:
            if self._name == ERRORS:
                return
            error.filename = self._name
            raise

    def writelines(self, lines: Iterator[str]) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def escape_output() -> Iterator[None]:
    """Let nothing reach standard output and standard error unescaped, whoever writes it, in this block."""
    streams = sys.stdout, sys.stderr
    # A process may have been started without them.
    names = OUTPUT, ERRORS
    sys.stdout, sys.stderr = (
        cast("Any", stream and EscapingStream(stream, name))
        for stream, name in zip(streams, names, strict=True)
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
