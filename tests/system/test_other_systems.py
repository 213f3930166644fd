"""What only Linux has is used only where it is there: here a system without it is played."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}

OTHER_SYSTEM = """
import builtins, io, os, pathlib, signal, sys

MISSING = {modules!r}
real_import, real_open = builtins.__import__, io.open


def importing(name, globals=None, *rest, **more):
    if name.split(".")[0] in MISSING and (globals or {{}}).get("__name__", "").startswith("autoenc"):
        raise ImportError(name)
    return real_import(name, globals, *rest, **more)


def opening(file, *rest, **options):
    frame = sys._getframe(1)
    while frame.f_globals["__name__"].startswith("pathlib"):
        frame = frame.f_back
    if str(file).startswith("/proc/") and frame.f_globals["__name__"].startswith("autoenc"):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return real_open(file, *rest, **options)


import numba, pandas, sklearn, torch, optuna, matplotlib, psutil, filelock  # these have their own ways

builtins.__import__, io.open, builtins.open = importing, opening, opening
for name in ("sched_getaffinity", "getuid", "geteuid", "fork", "mkfifo", "statvfs", "O_DIRECTORY"):
    delattr(os, name)
for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGQUIT", "SIGALRM"):
    delattr(signal, name)
os.link = None


def linking(*words, **options):
    raise NotImplementedError("no hard links here")


os.link = linking
sys.argv = ["autoenc", *sys.argv[1:]]
from autoenc.__main__ import run

sys.exit(run())
"""


@pytest.fixture
def other_system(tmp_path: Path, root: Path):
    program = tmp_path / "other_system.py"
    program.write_text(OTHER_SYSTEM.format(modules=POSIX_MODULES))

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(program), *map(str, words)]
        path = {"PYTHONPATH": str(root)}
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env={**__import__("os").environ, **path}
        )

    return run


def test_a_search_runs_and_resumes_without_what_linux_has(other_system, table_csv, tmp_path) -> None:
    small = ["--hidden_dims_search", 4, "--max_layers", 1, "--epochs", 1, "--latent_dim", 2, "--save_models"]
    search = ["search", "--data_path", table_csv, *small, "--output_dir", tmp_path / "o"]
    for _ in range(2):
        done = other_system(*search)
        assert done.returncode == 0, done.stderr
    done = other_system(*search, "--fresh")
    assert done.returncode == 0, done.stderr
    assert len([*(tmp_path / "o").glob("study.journal.*")]) == 1
    model = tmp_path / "o" / "best_model_latent2.pth"
    done = other_system("encode", "--model", model, "--data_path", table_csv, "--output", tmp_path / "z.csv")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "z.csv").read_text().splitlines()) == 61


def test_no_module_that_windows_lacks_is_imported_unguarded(root: Path) -> None:
    for path in (root / "autoenc").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        guarded = {
            id(child)
            for node in ast.walk(tree)
            if isinstance(node, ast.Try)
            for child in ast.walk(ast.Module(node.body, []))
        }
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            if POSIX_MODULES & {*names}:
                assert id(node) in guarded, f"{path}: {ast.unparse(node)}"
