"""The compiled pass is loaded without Numba, and what it is made of and for is known."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from autoenc.engines import loading
from autoenc.engines.loading import SOURCES, compiled_pass
from autoenc.engines.system_calls import offer_mathematics

NOT_COMPILED = {"fit", "code_files", "compiling"}
"""Modules of which compiled ones need types, and what only surrounds a compilation."""

TRAINED = """
import os, sys
import numpy as np
from autoenc.engines import Fit, Recipe, Split, compiling, make_engine

values = np.arange(40, dtype=np.float32).reshape(20, 2) % 7
split = Split(values, np.arange(15), np.arange(15, 20))

def train(precision="float32"):
    with compiling.announced(lambda: print("compiling")):
        outcome = make_engine("native", precision=precision).fit(split, Fit((4,), 1, Recipe(epochs=2)))
    print(outcome.failure, outcome.final_train_loss)
    return outcome.final_train_loss
"""


def run(code: str, cache: Path | None = None) -> list[str]:
    """The lines that a process prints."""
    environment = {**os.environ, **({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)})}
    done = subprocess.run(
        [sys.executable, "-c", f"{TRAINED}\n{code}"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_module_that_kernels_are_made_of_is_among_the_sources(root: Path) -> None:
    """A change in one that is not would leave the code of before in use."""
    imported = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse((root / "autoenc" / "engines" / f"{source}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("autoenc.engines"):
                module = str(node.module).removeprefix("autoenc.engines").lstrip(".")
                imported |= {module} if module else {name.name for name in node.names}
    assert imported - NOT_COMPILED <= set(SOURCES)
    assert "kernels" in SOURCES


def test_one_precision_is_loaded_once(compiled_engine) -> None:
    assert compiled_pass(np.dtype(np.float32)) is compiled_pass(np.dtype("f4"))


def test_other_sources_or_another_compiler_ask_for_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    target, sources = loading._target(), loading._sources_digest()
    assert (loading._target(), loading._sources_digest()) == (target, sources)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "elsewhere")
    assert loading._target() == target
    monkeypatch.setenv("NUMBA_OPT", "1")
    assert loading._target() != target
    monkeypatch.delenv("NUMBA_OPT")
    monkeypatch.setattr(loading, "version", lambda name: "0.0")
    assert loading._target() != target
    monkeypatch.setattr(loading, "SOURCES", SOURCES[:-1])
    assert loading._sources_digest() != sources


def test_every_function_of_mathematics_that_code_may_call_has_its_place() -> None:
    offer_mathematics()
    for name in ("cos", "exp", "fma", "fmaf", "log", "pow", "sqrt"):
        assert llvm.address_of_symbol(name)


def test_a_process_whose_kernels_are_compiled_trains_without_numba(compiled_engine) -> None:
    trained, modules = run("""
train()
print([name for name in sys.modules if name.partition(".")[0] in ("numba", "scipy", "torch")])
""")
    assert trained.startswith("None ")
    assert modules == "[]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_processes_load_it_before_and_after_their_parent(compiled_engine) -> None:
    losses = run("""
def child():
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        train()
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0

child()
train()
child()
""")
    assert len(losses) == 3
    assert len(set(losses)) == 1


@pytest.mark.slow
def test_a_damaged_file_changes_nothing_but_the_time(tmp_path: Path) -> None:
    code = "train()\nprint(*compiling.take_notes())"
    first = run(code, tmp_path)
    again = run(code, tmp_path)
    assert first == ["compiling", *again]
    (file,) = tmp_path.rglob("*.bin")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    damaged = run(code, tmp_path)
    assert damaged[:2] == first[:2]
    assert damaged[2] == f"{file}: compiled code cannot be read (it is damaged); it is compiled anew"
    assert run(code, tmp_path) == again
    assert file.read_bytes() == content


@pytest.mark.slow
def test_processes_that_compile_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", f"{TRAINED}\ntrain()\nprint(*compiling.take_notes())"]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    printed = {process.communicate()[0] for process in processes}
    assert len(printed) == 1
    assert printed.pop().startswith("compiling\nNone ")
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 1
