"""Threads that train one fit together: who takes part in a step, who does what, and waiting for each other.

All of them run the same compiled pass; each computes its share of units, rows of weights or lanes, and waits
where it needs what others computed. No sum is divided, so that the number of threads changes no bit. One
thread, the leader, goes from step to step. Before each it counts who is there: a thread that comes late, or
never, is not waited for, and one that is needed elsewhere leaves between two steps.

They meet in an array, see :mod:`autoenc.engines.meeting`.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from autoenc.engines import simd
from autoenc.engines.flat import data_of
from autoenc.engines.meeting import ARRIVED, JOINED, MOST, NAP, OVER, PHASE, SLEEPING, STEP, WANTED
from autoenc.engines.scalars import smallest
from autoenc.engines.simd import INNER
from autoenc.engines.system_calls import FUTEX, IS_X86, SYSTEM_CALL, YIELD, offer_waiting

_INT64 = ir.IntType(64)

__all__ = ["assemble", "end", "join", "next_step", "share", "wait"]

_SLEEP, _WAKE = 128, 129  # FUTEX_WAIT and FUTEX_WAKE, among the threads of a process
_PATIENCE = 3000
"""Looks at what another thread will write, 70 to 170 microseconds: what sleeping and being woken takes."""

offer_waiting()


@intrinsic
def _read(typing: Any, meeting: Any, place: Any) -> Any:
    """Read what another thread may write; whatever that one wrote before is seen, too."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = builder.gep(data_of(context, builder, meeting, args[0]), [args[1]])
        return builder.load_atomic(at, "seq_cst", 8)

    return types.int64(meeting, types.intp), codegen


@intrinsic
def _write(typing: Any, meeting: Any, place: Any, value: Any) -> Any:
    """Write what another thread may read; whatever was written before is seen by then."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = builder.gep(data_of(context, builder, meeting, args[0]), [args[1]])
        builder.atomic_rmw("xchg", at, args[2], "seq_cst")
        return context.get_dummy_value()

    return types.void(meeting, types.intp, types.int64), codegen


@intrinsic
def _add(typing: Any, meeting: Any, place: Any, number: Any) -> Any:
    """Add to what is there, whoever else does at the same time; return what was there before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = builder.gep(data_of(context, builder, meeting, args[0]), [args[1]])
        return builder.atomic_rmw("add", at, args[2], "seq_cst")

    return types.int64(meeting, types.intp, types.int64), codegen


@intrinsic
def _pause(typing: Any) -> Any:
    """Tell the core that it is waiting, where it has an instruction for that."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if IS_X86:
            builder.call(_function(builder, "llvm.x86.sse2.pause", ir.VoidType()), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _leave_core(typing: Any, meeting: Any, place: Any, value: Any) -> Any:
    """Sleep while ``value`` is at a place, or let others run once; the thread may wake up early."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if FUTEX is None:
            builder.call(_function(builder, YIELD, ir.IntType(32)), [])
        else:
            data = data_of(context, builder, meeting, args[0])
            nap = builder.gep(data, [ir.Constant(_INT64, NAP)])
            _call_futex(builder, builder.gep(data, [args[1]]), _SLEEP, args[2], nap)
        return context.get_dummy_value()

    return types.void(meeting, types.intp, types.int64), codegen


@intrinsic
def _wake(typing: Any, meeting: Any, place: Any) -> Any:
    """Wake all who sleep while something is at a place."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if FUTEX is not None:
            at = builder.gep(data_of(context, builder, meeting, args[0]), [args[1]])
            _call_futex(builder, at, _WAKE, ir.Constant(_INT64, MOST), ir.Constant(at.type, None))
        return context.get_dummy_value()

    return types.void(meeting, types.intp), codegen


def _call_futex(builder: Any, place: Any, what: int, value: Any, nap: Any) -> None:
    call = _function(builder, SYSTEM_CALL, _INT64, [_INT64], var_arg=True)
    builder.call(call, [ir.Constant(_INT64, FUTEX), place, ir.Constant(_INT64, what), value, nap])


def _function(builder: Any, name: str, result: Any, args: Any = (), var_arg: bool = False) -> Any:
    kind = ir.FunctionType(result, args, var_arg=var_arg)
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


@njit(**INNER)
def _until_it_changes(meeting, place, value):
    """Wait for another thread to change what is at a place; return what it is then."""
    simd.outlined()
    n_looks = 0
    now = _read(meeting, place)
    while now == value:
        n_looks += 1
        if n_looks < _PATIENCE:
            _pause()
        else:
            _add(meeting, SLEEPING, 1)
            _leave_core(meeting, place, value)
            _add(meeting, SLEEPING, -1)
        now = _read(meeting, place)
    return now


@njit(**INNER)
def _change(meeting, place, value):
    """Change what other threads wait for."""
    simd.outlined()
    _write(meeting, place, value)
    if _read(meeting, SLEEPING) > 0:
        _wake(meeting, place)


@njit(**INNER)
def wait(meeting, size):
    """Wait until all ``size`` threads of a step are here."""
    if size == 1:
        return
    phase = _read(meeting, PHASE)
    if _add(meeting, ARRIVED, 1) == size - 1:
        _write(meeting, ARRIVED, 0)
        _change(meeting, PHASE, phase + 1)
    else:
        _until_it_changes(meeting, PHASE, phase)


@njit(**INNER)
def share(n, unit, rank, size):
    """Return the first and the last, exclusive, of ``n`` that are one thread's, in whole ``unit`` of them."""
    if size == 1:
        return 0, n
    each = (n + unit * size - 1) // (unit * size) * unit
    first = smallest(rank * each, n)
    return first, smallest(first + each, n)


@njit(**INNER)
def assemble(meeting, step):
    """Begin a step as the leader, with those who are there; return how many that are."""
    size = smallest(_read(meeting, JOINED) + 1, _read(meeting, WANTED))
    _change(meeting, STEP, (step + 1) * MOST + size)
    return size


@njit(**INNER)
def end(meeting):
    """Say as the leader that nothing more is to be done."""
    _change(meeting, STEP, OVER)


@njit(**INNER)
def join(meeting):
    """Join the team and help.

    Returns:
        The thread's rank, and the step that has begun without it; that one is :data:`OVER` where there is
        nothing to be done.
    """
    before = _read(meeting, STEP)
    rank = 0
    if before != OVER:  # the order counts: whoever is counted for a step has not seen it begin
        rank = _add(meeting, JOINED, 1) + 1
    return rank, before


@njit(**INNER)
def next_step(meeting, rank, before):
    """Wait for a step after ``before`` that has a part for this rank; :data:`OVER` where none will come."""
    while before != OVER:
        before = _until_it_changes(meeting, STEP, before)
        if before != OVER:
            if rank < before % MOST:
                break
            if rank >= _read(meeting, WANTED):
                before = OVER
    return before
