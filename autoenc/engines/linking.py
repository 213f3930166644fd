"""Functions that only compiled ones call: compiled as parts, and optimized once, inside of what calls them.

Numba by itself optimizes each compiled function for good, makes machine code of it, and does both again with
all that it calls in each function on the way up to the one that is called from Python. A part is tidied up
as it is compiled and left at that: the machine code of the whole is the only one that ever runs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from llvmlite import ir
from llvmlite.binding import Linkage
from numba import _dynfunc, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.cpu import CPUContext
from numba.core.registry import cpu_target
from numba.core.typed_passes import (
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.typing import Context
from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, TranslateByteCode
from numba.cpython import builtins, mathimpl, numbers, rangeobj, tupleobj  # noqa: F401  (what numbers need)

__all__ = ["INNER", "object_code"]


class _Part(JITCodeLibrary):
    """The code of a function that waits to be linked into another's."""

    _shared_module: Any = None

    def add_llvm_module(self, ll_module: Any) -> None:
        """Take code as it is."""
        self._final_module.link_in(ll_module)

    def finalize(self) -> None:
        """Make no machine code, and leave what is called where it is."""
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        """Return the code with all that it calls, each function once."""
        if self._shared_module is None:
            module = self._final_module.clone()
            for library in dict.fromkeys(self._called()):
                if isinstance(library, _Part):
                    module.link_in(library._final_module, preserve=True)
                else:
                    module.link_in(library._get_module_for_linking(), preserve=True)
            for function in module.functions:
                if not function.is_declaration and function.linkage == Linkage.external:
                    function.linkage = "linkonce_odr"
            self._shared_module = module
        return self._shared_module

    def _called(self) -> Iterator[Any]:
        """Yield the libraries of what it calls, and of what that calls."""
        for library in self._linking_libraries:
            yield library
            if isinstance(library, _Part):
                yield from library._called()

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0: it cannot be called by itself."""
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

    def post_lowering(self, mod: Any, library: Any) -> None:
        """Link nothing that counts references: there are none."""

    def get_executable(self, library: Any, fndesc: Any, env: Any) -> Any:
        """Return what stands for the function where it is looked up; it has no address."""
        library._ensure_finalized()
        name = fndesc.qualname.split(".")[-1]
        return _dynfunc.make_function(fndesc.lookup_module(), name, "", 0, env, (library,))


class _PartTyping(Context):
    """Types of what a part calls; those of Numba's own functions are looked for once."""

    _signatures: ClassVar[dict[Any, Any]] = {}

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """Return the signature of a function for types of arguments."""
        if isinstance(func, types.Dispatcher):  # not compiled anew for each number that is written out
            args = tuple(map(types.unliteral, args))
        if kws or not isinstance(func, types.Function):
            return super().resolve_function_type(func, args, kws)
        key = func, args
        if key not in self._signatures:
            self._signatures[key] = super().resolve_function_type(func, args, kws)
        return self._signatures[key]


@register_pass(mutates_CFG=False, analysis_only=False)
class _AsPart(LoweringPass):
    """Gives a function the place that its code will wait in, before there is any."""

    _name = "as_part"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        # Copies share everything with those that others see.
        state.targetctx = copy.copy(state.targetctx)
        state.targetctx.__class__ = _PartContext
        state.typingctx = copy.copy(state.typingctx)
        state.typingctx.__class__ = _PartTyping
        return True


_STEPS = (
    _AsPart, TranslateByteCode, FixupArgs, IRProcessing, ReconstructSSA, NopythonTypeInference,
    PreLowerStripPhis, NativeLowering, NoPythonBackend,
)  # fmt: skip


class _PartCompiler(CompilerBase):
    """Compiles a function as a part.

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


INNER: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "no_cpython_wrapper": True,
    "pipeline_class": _PartCompiler,
}
"""Options of ``njit`` for a part."""


@contextmanager
def _numbers_alone() -> Iterator[None]:
    """Let Numba load what numbers need: for arrays it would import SciPy's linear algebra, and more."""
    context = cpu_target.target_context
    context.load_additional_registries = lambda: context.install_registry(mathimpl.registry)
    try:
        yield
    finally:
        del context.load_additional_registries


def object_code(part: Any, arguments: tuple[Any, ...], entry: str) -> bytes:
    """Compile a part and all that it calls for good, as an object file.

    Args:
        part: Takes plain numbers, returns one, and never raises.
        arguments: Their Numba types.
        entry: The name by which C could call it.
    """
    with global_compiler_lock:
        with _numbers_alone():
            part.compile(arguments)
        result = part.overloads[arguments]
        context, about = result.target_context, result.fndesc
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
