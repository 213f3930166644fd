"""What the machine cannot do is told in a sentence, and is never a fit's failure."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from autoenc.engines import Engine, Fit, Outcome, Recipe, Split, StopFlag, compiling, make_engine
from autoenc.searching.executors import train_one
from autoenc.searching.ready import make_ready
from autoenc.system.trouble import MachineError, require_room, trouble

FIT = Fit((2,), 1, Recipe(epochs=1))
SPLIT = Split(np.ones((4, 2), np.float32), np.arange(3), np.arange(3, 4))

MACHINES = [
    MemoryError(),
    MemoryError("Unable to allocate 4.00 GiB"),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "cache"),
    OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    RuntimeError("can't start new thread"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be ..."),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemmStridedBatched`"),
    RuntimeError("No CUDA GPUs are available"),
    RuntimeError('captures_underway.empty() INTERNAL ASSERT FAILED at "c10/cuda/CUDACachingAllocator.cpp":1'),
    ImportError("libgomp.so.1: failed to map segment from shared object"),
    MachineError("the training cannot be compiled"),
]


class Failing:
    """An engine that raises."""

    name, device, n_at_once = "failing", "cpu", 0

    def __init__(self, error: Exception) -> None:
        self.error = error

    def prepare(self) -> None:
        """Nothing."""

    def fit(self, *args: object, **options: object) -> Outcome:
        """Raise."""
        raise self.error


@pytest.mark.parametrize("error", MACHINES, ids=lambda error: f"{type(error).__name__}-{str(error)[:20]}")
def test_what_the_machine_cannot_do_is_no_outcome(error: Exception) -> None:
    engine: Engine = Failing(error)
    with pytest.raises(type(error)):
        train_one(engine, SPLIT, FIT)
    reason = trouble(error)
    assert reason
    assert "\n" not in reason


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("it diverged"), ArithmeticError("inf")])
def test_what_a_fit_cannot_do_is_its_outcome(error: Exception) -> None:
    assert trouble(error) is None
    assert train_one(Failing(error), SPLIT, FIT).failure == f"{type(error).__name__}: {error}"


def test_what_an_error_was_raised_from_counts_as_well() -> None:
    error = ValueError("cannot scale")
    error.__cause__ = MemoryError()
    assert trouble(error) == "out of memory"


@pytest.mark.parametrize("n_bytes", [2**60, 2**90])
def test_room_that_cannot_be_had_is_asked_for_in_vain(n_bytes: int) -> None:
    require_room(2**20, "this")
    with pytest.raises(MachineError, match=r"this needs .* that cannot be had"):
        require_room(n_bytes, "this")


@pytest.mark.parametrize("name", ["native", "torch"])
def test_an_engine_is_made_ready_before_the_clock_starts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(name)  # type: ignore[arg-type]
    clock: list[bool] = []
    real = type(engine)._fit  # type: ignore[attr-defined]

    def fit(self: object, *args: object, **options: object) -> Outcome:
        clock.append(self._is_prepared)  # type: ignore[attr-defined]
        return real(self, *args, **options)  # type: ignore[no-any-return]

    monkeypatch.setattr(type(engine), "_fit", fit)
    engine.fit(SPLIT, FIT)
    assert clock == [False, True]  # that of prepare, then the one that counts


def test_waiting_is_announced_only_where_something_is_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    class Compiling(Failing):
        def prepare(self) -> None:
            with compiling.compiling():
                pass

    for engine, quiet in ((Failing(ValueError()), False), (Compiling(ValueError()), True)):
        make_ready(engine, StopFlag(), quiet)
        assert capsys.readouterr() == ("", "")
    make_ready(Compiling(ValueError()), StopFlag(), quiet=False)
    assert capsys.readouterr().err == "compiling, once per machine ...\n"


@pytest.mark.parametrize("command", [["search", "--epochs", "1"], ["transfer"], ["encode"]])
@pytest.mark.parametrize("limit_mib", [300, 700])
def test_without_the_memory_that_libraries_take_a_command_ends_in_a_sentence(command, limit_mib, tmp_path):
    """They would end the process as they please: by a signal, without words, or never."""
    resource = pytest.importorskip("resource")
    words = {
        "search": ["--output_dir", tmp_path / "out"],
        "transfer": ["--output_dir", tmp_path / "out", "--regression_target", "rtop"],
        "encode": ["--model", "m.pth", "--output", tmp_path / "out"],
    }[command[0]]
    run = subprocess.run(
        [sys.executable, "-m", "autoenc", *map(str, [*command, *words])],
        capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit_mib * 2**20,) * 2),
    )  # fmt: skip
    assert run.returncode == 1
    assert re.fullmatch(r"error: out of memory: this command needs \d+ MiB that cannot be had\n", run.stderr)
    assert not (tmp_path / "out").exists()
