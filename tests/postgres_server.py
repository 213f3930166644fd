"""A real PostgreSQL of a test's own: its cluster in a temporary folder, listening on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


@contextmanager
def postgres() -> Iterator[str]:
    """Start a server and give the URL of its database; skip, and say why, where there is none to start."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    # The server refuses to run as root; Debian's package brings a user for it.
    user = "postgres" if os.geteuid() == 0 else None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        if user:
            shutil.chown(name, user)
        data = Path(name) / "data"

        def run(program: str, *arguments: object) -> None:
            command = [str(programs / program), *map(str, arguments)]
            subprocess.run(command, check=True, user=user, cwd=name, stdout=subprocess.DEVNULL)

        run("initdb", "-D", data, "--auth", "trust", "--username", "autoenc", "--no-sync", "-E", "UTF8")
        options = f"-h 127.0.0.1 -p {port} -k {name} -F"
        run("pg_ctl", "-D", data, "-w", "-l", Path(name) / "log", "-o", options, "start")
        try:
            run("createdb", "-h", "127.0.0.1", "-p", port, "-U", "autoenc", "studies")
            yield f"postgresql+psycopg://autoenc@127.0.0.1:{port}/studies"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "fast", "stop")
