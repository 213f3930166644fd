"""Functions that only compiled ones call: compiled as parts, and optimized once, inside of what calls them.

Numba by itself optimizes each compiled function for good, makes machine code of it, and does both again with
all that it calls in each function on the way up to the one that is called from Python. A part is tidied up
as it is compiled and left at that: the machine code of the whole is the only one that ever runs.
"""

from __future__ import annotations

import copy
from typing import Any

from llvmlite import ir
from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.cpu import CPUContext
from numba.core.typed_passes import (
    AnnotateTypes,
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, TranslateByteCode

__all__ = ["PartCompiler", "object_code"]


class _Part(JITCodeLibrary):
    """The code of a function that waits to be linked into another's."""

    def _optimize_final_module(self) -> None:
        """Leave that to what it is linked into."""

    def _finalize_final_module(self) -> None:
        """Make no machine code."""
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0: it cannot be called by itself."""
        self._ensure_finalized()
        return 0


class _Whole(JITCodeLibrary):
    """The code of a function that is called from outside, as an object file."""

    code = b""

    def _optimize_final_module(self) -> None:
        """Let nothing but the entry be seen from outside: what is inlined everywhere is left out."""
        module = self._final_module
        for value in (*module.functions, *module.global_variables):
            if not value.is_declaration and value.name != self.name:
                value.linkage = "internal"
        super()._optimize_final_module()

    def _finalize_final_module(self) -> None:
        """Make machine code, and do not load it."""
        self.code = self._codegen._tm.emit_object(self._final_module)
        self._finalized = True


class _PartContext(CPUContext):
    """A compilation that ends without anything that could be called from Python."""

    def get_executable(self, library: Any, fndesc: Any, env: Any) -> Any:
        """Return what stands for the function where it is looked up; it has no address."""
        library._ensure_finalized()
        name = fndesc.qualname.split(".")[-1]
        return _dynfunc.make_function(fndesc.lookup_module(), name, "", 0, env, (library,))


@register_pass(mutates_CFG=False, analysis_only=False)
class _AsPart(LoweringPass):
    """Gives a function the place that its code will wait in, before there is any."""

    _name = "as_part"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        state.targetctx = copy.copy(state.targetctx)  # shares everything with the one that others see
        state.targetctx.__class__ = _PartContext
        return True


_STEPS = (
    TranslateByteCode, FixupArgs, IRProcessing, ReconstructSSA, NopythonTypeInference, PreLowerStripPhis,
    IRLegalization, AnnotateTypes, _AsPart, NativeLowering, NoPythonBackend,
)  # fmt: skip


class PartCompiler(CompilerBase):
    """Compiles a function as a part; for ``njit(pipeline_class=...)``.

    It is Numba's way for code that has no closures, no ``with``, and nothing to rewrite, and without the
    checks after each step that it left everything in order, which take as long as the steps.
    """

    def define_pipelines(self) -> list[Any]:
        """Return the one way."""
        passes = PassManager("autoenc")
        passes._ENFORCING = False
        for step in _STEPS:
            passes.add_pass(step, "")
        passes.finalize()
        return [passes]


def object_code(part: Any, arguments: tuple[Any, ...], entry: str) -> bytes:
    """Compile a part and all that it calls for good, as an object file.

    Args:
        part: Takes plain numbers, returns one, and never raises.
        arguments: Their Numba types.
        entry: The name by which C could call it.
    """
    part.compile(arguments)
    result = part.overloads[arguments]
    context, about = result.target_context, result.fndesc
    with global_compiler_lock:
        whole = _Whole(context.codegen(), entry)
        module = whole.create_ir_module(entry)
        kinds = [context.get_value_type(kind) for kind in (about.restype, *arguments)]
        function = ir.Function(module, ir.FunctionType(kinds[0], kinds[1:]), entry)
        called = ir.Function(
            module, context.call_conv.get_function_type(about.restype, arguments), about.llvm_func_name
        )
        builder = ir.IRBuilder(function.append_basic_block())
        _, number = context.call_conv.call_function(builder, called, about.restype, arguments, function.args)
        builder.ret(number)
        whole.add_linking_library(result.library)
        whole.add_ir_module(module)
        whole.finalize()
    return whole.code
