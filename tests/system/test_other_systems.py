"""What only Linux has is used only where it is there: here a system without it is played."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoenc.record import environment
from autoenc.settings import base

POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_NAMES = {
    "os": {
        "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "chown", "chroot", "fchmod", "fchown",
        "fdatasync", "fork", "getegid", "geteuid", "getgid", "getloadavg", "getpgid", "getpriority", "getsid",
        "getuid", "killpg", "lchown", "major", "minor", "mkfifo", "mknod", "nice", "pread", "pwrite",
        "register_at_fork", "sched_getaffinity", "sched_setaffinity", "sched_yield", "sendfile", "setpgid",
        "setpriority", "setsid", "statvfs", "sync", "sysconf", "ttyname", "uname", "wait", "waitid",
    },
    "signal": {
        "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2", "alarm",
        "pause", "pthread_kill", "setitimer", "sigwait",
    },
    "socket": {"AF_UNIX"},
}  # fmt: skip
"""What Windows lacks; of these, macOS has no affinity of processes."""
LINUX_PLACES = {
    "data/sources.py": "names of standard input and of pipes, which are told apart as text",
    "engines/cores.py": "how busy the machine is; 0 where nothing is said",
    "record/environment.py": "names of processor and GPU; what platform says, and none",
    "searching/choice.py": "drivers of a GPU; nvidia-smi is looked for as well",
    "system/outputs.py": "names of descriptors, which are told apart as text",
}
"""The files that name a place below /proc or /dev, with what is done without it."""

# Libraries that are imported later may need the others; they have ways of their own.
ABSENT = {
    "os": ["O_DIRECTORY", "O_NOFOLLOW", "fork", "geteuid", "getuid", "mkfifo", "register_at_fork",
           "sched_getaffinity", "statvfs"],
    "signal": ["SIGALRM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"],
}  # fmt: skip

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
for module, names in {absent!r}.items():
    for name in names:
        delattr(sys.modules[module], name)


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
    program.write_text(OTHER_SYSTEM.format(modules=POSIX_MODULES, absent=ABSENT))

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(program), *map(str, words)]
        path = {"PYTHONPATH": str(root)}
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **path}
        )

    return run


@pytest.mark.slow
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


def is_asked_for(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return whether a name is used only where hasattr says that it is there."""
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.If | ast.IfExp) and "hasattr" in ast.unparse(node.test):
            return True
    return False


def test_no_name_that_windows_lacks_is_used_unasked(root: Path) -> None:
    used = set()
    for path in (root / "autoenc").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
                continue
            if node.attr in POSIX_NAMES.get(node.value.id, ()):
                assert is_asked_for(node, parents), f"{path}: {ast.unparse(node)}"
                used.add(node.attr)
    assert used >= {"getuid", "sched_getaffinity", "register_at_fork"}


def test_what_only_linux_has_is_named_where_there_is_a_way_without_it(root: Path) -> None:
    named = set()
    for path in (root / "autoenc").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and str(node.value).startswith(
                ("/proc", "/dev", "/sys", "/run")
            ):
                named.add(path.relative_to(root / "autoenc").as_posix())
    assert named == {*LINUX_PLACES}


def test_a_machine_without_proc_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    read_text = Path.read_text

    def no_proc(self: Path, *words: str | None, **options: str | None) -> str:
        if str(self).startswith("/proc"):
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return read_text(self, *words, **options)

    monkeypatch.setattr(Path, "read_text", no_proc)
    monkeypatch.setattr(environment.platform, "processor", lambda: "arm")
    assert environment.describe_machine()["processor"] == "arm"
    assert environment.describe_machine()["gpu"] is None


def test_cores_are_counted_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert base.available_cores() == 12
