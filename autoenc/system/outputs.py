"""Output files that a user names: a file, a device, a pipe, or ``-`` for standard output."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from autoenc.errors import InputError
from autoenc.system.paths import Content, content_writer, write_atomically, write_to_stream

__all__ = ["STANDARD_OUTPUT", "is_regular", "refuse_inputs", "summary_stream", "write_output"]

STANDARD_OUTPUT = "-"

# The name is at fault, and no room on the disk or another trouble of the machine.
_WRONG_NAME = {
    errno.EACCES, errno.EBADF, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT,
    errno.ENOTDIR, errno.ENXIO, errno.EPERM, errno.EROFS,
}  # fmt: skip


def write_output(option: str, output: str, content: Content) -> None:
    """Write what a user asked for to where the user asked for it.

    A file is written whole or not at all, also behind a symbolic link. A device, a pipe or an open
    descriptor (``/dev/stdout``, ``/dev/fd/3``) is written to and never replaced.

    Args:
        option: The option that names the output, for messages.
        output: The name; ``-`` is standard output.
        content: What it will hold.

    Raises:
        InputError: If there is no such place, or it may not be written to.
        OSError: If the machine fails: no space left, or the reader of a pipe went away.
    """
    if not output:
        raise InputError(f"{option} must not be empty")
    write = content_writer(content)
    try:
        descriptor = _descriptor(output)
        if output == STANDARD_OUTPUT:
            _write_to_standard_output(write)
        elif descriptor is not None:
            if sys.stdout is not None:
                sys.stdout.flush()  # so that lines come in the order in which they were written
            with os.fdopen(os.dup(descriptor), "wb") as stream:
                write_to_stream(stream, write)
        else:
            write_atomically(Path(output), write, follow_link=True)
    except OSError as error:
        if error.errno in _WRONG_NAME:
            raise InputError(f"{option} {output}: cannot be written: {error.strerror}") from None
        raise


def is_regular(output: str) -> bool:
    """Return whether an output is, or will be, a regular file."""
    if output == STANDARD_OUTPUT or _descriptor(output) is not None:
        return False
    path = Path(output)
    return path.is_file() or not path.exists()


def summary_stream(output: str) -> IO[str]:
    """Return where a command says what it wrote: standard error if the output goes to standard output."""
    return sys.stderr if output == STANDARD_OUTPUT or _descriptor(output) == 1 else sys.stdout


def refuse_inputs(option: str, output: str, inputs: dict[str, str]) -> None:
    """See that an output is none of the files that it is made of.

    Args:
        option: The option that names the output.
        output: The name.
        inputs: Names of files by the options that name them.

    Raises:
        InputError: If it is.
    """
    if not is_regular(output):
        return
    for name, path in inputs.items():
        if Path(output).resolve() == Path(path).resolve():
            raise InputError(f"{option} {output}: is {name} itself, which would be overwritten")


def _write_to_standard_output(write: Callable[[IO[bytes]], object]) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:  # a text stream that somebody put in its place, such as a notebook's
        content = io.BytesIO()
        write(content)
        sys.stdout.write(content.getvalue().decode())
    else:
        sys.stdout.flush()
        write_to_stream(stream, write)


def _descriptor(output: str) -> int | None:
    """Return the number of the open descriptor that a name stands for; None for any other name."""
    path = os.path.abspath(output)
    for _ in range(40):  # as many links as Linux follows
        folder, name = os.path.split(path)
        if re.fullmatch(r"/dev/fd|/proc/(self|thread-self|\d+)/fd", os.path.realpath(folder)):
            own = os.path.realpath(folder) in ("/dev/fd", os.path.realpath("/proc/self/fd"))
            return int(name) if own and name.isdecimal() else None
        if not os.path.islink(path):
            return None
        path = os.path.normpath(os.path.join(folder, os.readlink(path)))
    return None
